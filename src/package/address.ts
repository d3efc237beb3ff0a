import { createHash } from 'node:crypto';
import { UserError } from '../errors.ts';

/** Where a package is fetched from. */
export interface Address {
  url: URL;
  /** What logs and errors call it: without user, password and query, which may be worth money. */
  shown: string;
  /** SHA-256 of the address without its credentials' part ahead of the host, to tell one package from another. */
  digest: string;
}

const MOST_SHOWN = 300;

/**
 * Reads PACKAGE_ZIP_URL.
 * @throws UserError that does not repeat it
 */
export function parseAddress(text: string): Address {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (!url || !['http:', 'https:', 'file:'].includes(url.protocol))
    throw new UserError(
      'cannot install the package: its URL (PACKAGE_ZIP_URL) is none of http, https or file',
      {
        hint: 'PACKAGE_ZIP_URL=https://HOST/PATH.zip, or file:///PATH.zip',
      },
    );
  if (url.protocol === 'file:' && url.host !== '')
    throw new UserError('cannot install the package: a file URL (PACKAGE_ZIP_URL) names no host', {
      hint: 'file:///PATH.zip',
    });
  url.hash = '';
  const plain = new URL(url);
  [plain.username, plain.password] = ['', ''];
  const digest = createHash('sha256').update(plain.href).digest('hex');
  plain.search = '';
  return { url, shown: plain.href.slice(0, MOST_SHOWN), digest };
}
