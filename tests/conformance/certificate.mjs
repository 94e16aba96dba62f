// SPDX-License-Identifier: Apache-2.0
// Certificates for tests, made by the openssl command for one run: none is kept.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A self-signed certificate for `localhost` and the address `ip`, valid for two days. Gives it as
 * text (`cert`, `key`) and as files (`certFile`, `keyFile`); call `remove` in the end.
 */
export function makeCertificate(ip = '127.0.0.1') {
    const folder = mkdtempSync(join(tmpdir(), 'weft-tls-'));
    const certFile = join(folder, 'cert.pem');
    const keyFile = join(folder, 'key.pem');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
                             '-nodes', '-days', '2', '-subj', '/CN=weft test',
                             '-addext', `subjectAltName=DNS:localhost,IP:${ip}`,
                             '-keyout', keyFile, '-out', certFile], { stdio: 'pipe' });
    return {
        cert: readFileSync(certFile, 'utf8'),
        key: readFileSync(keyFile, 'utf8'),
        certFile,
        keyFile,
        remove: () => rmSync(folder, { recursive: true, force: true }),
    };
}
