/* SPDX-License-Identifier: Apache-2.0 */
/* The command `weft echo`. */
#ifndef WEFT_BIN_CMD_ECHO_H
#define WEFT_BIN_CMD_ECHO_H

/* Runs `weft echo` with argv[0] = "echo"; returns the exit status: 0, 1 when it could not listen,
 * connect or open the WebSocket, 2 for wrong usage. */
int weft_cmd_echo(int argc, char **argv);

#endif
