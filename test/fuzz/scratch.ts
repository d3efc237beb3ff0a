import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** In memory, where there is such a place: thousands of files are made and removed. */
const PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A directory for one attack. */
export function scratch(): { directory: string; remove: () => void } {
  const directory = mkdtempSync(join(PARENT, 'supervise-fuzz-'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }) };
}
