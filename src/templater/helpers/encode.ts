import { createHash, createHmac } from 'node:crypto';
import type { Helper } from './helper.ts';
import { asText } from './value.ts';

/** Text in another form, and sums of it; of its UTF-8 bytes. */
export const ENCODE = {
  base64Encode: {
    usage: 'base64Encode "a"',
    meaning: 'as Base64',
    examples: [['{{base64Encode "hello?>"}}', 'aGVsbG8/Pg==']],
    values: [1, 1],
    options: [],
    run: (_, [text]) => Buffer.from(asText(text)).toString('base64'),
  },
  base64Decode: {
    usage: 'base64Decode (key "app/b64")',
    meaning: 'what the Base64 stands for; it must be text',
    examples: [['{{base64Decode "aGVsbG8/Pg=="}}', 'hello?>']],
    values: [1, 1],
    options: [],
    run: (_, [text]) => decode(asText(text), /^[A-Za-z0-9+/]*={0,2}$/, 'base64'),
  },
  base64URLEncode: {
    usage: 'base64URLEncode "a"',
    meaning: 'as Base64 for URLs and file names',
    examples: [['{{base64URLEncode "hello?>"}}', 'aGVsbG8_Pg==']],
    values: [1, 1],
    options: [],
    run: (_, [text]) =>
      Buffer.from(asText(text)).toString('base64').replaceAll('+', '-').replaceAll('/', '_'),
  },
  base64URLDecode: {
    usage: 'base64URLDecode "YQ=="',
    meaning: 'what the Base64 for URLs stands for',
    examples: [['{{base64URLDecode "aGVsbG8_Pg=="}}', 'hello?>']],
    values: [1, 1],
    options: [],
    run: (_, [text]) => decode(asText(text), /^[A-Za-z0-9_-]*={0,2}$/, 'base64url'),
  },
  sha256Hex: {
    usage: 'sha256Hex "a"',
    meaning: 'SHA-256 sum in hexadecimal',
    examples: [['{{slice (sha256Hex "a") 0 12}}', 'ca978112ca1b']],
    values: [1, 1],
    options: [],
    run: (_, [text]) => createHash('sha256').update(asText(text)).digest('hex'),
  },
  md5sum: {
    usage: 'md5sum "a"',
    meaning: 'MD5 sum in hexadecimal; no protection against anybody',
    examples: [['{{md5sum "a"}}', '0cc175b9c0f1b6a831c399e269772661']],
    values: [1, 1],
    options: [],
    run: (_, [text]) => createHash('md5').update(asText(text)).digest('hex'),
  },
  hmacSHA256Hex: {
    usage: 'hmacSHA256Hex "message" (key "app/secret")',
    meaning: 'HMAC of a message with a key, in hexadecimal',
    examples: [['{{slice (hmacSHA256Hex "a" "k") 0 12}}', '78da91511e67']],
    values: [2, 2],
    options: [],
    run: (_, [text, secret]) => createHmac('sha256', asText(secret)).update(asText(text)).digest('hex'),
  },
} satisfies Record<string, Helper>;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Node decodes whatever it is given, and leaves out what it does not understand. */
function decode(text: string, alphabet: RegExp, encoding: 'base64' | 'base64url'): string {
  const packed = text.replace(/[\r\n]/g, '');
  if (packed.length % 4 !== 0 || !alphabet.test(packed)) throw new Error('expected Base64, got other text');
  try {
    return UTF8.decode(Buffer.from(packed, encoding));
  } catch (error) {
    throw new Error('what it stands for is not text (invalid UTF-8)', { cause: error });
  }
}
