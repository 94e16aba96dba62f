// SPDX-License-Identifier: Apache-2.0
/** What every call carries, and every answer. */
export const PAYLOAD = { text: '0123456789abcdef', n: 7 };
