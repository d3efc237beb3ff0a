import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { type Helper, textValue } from './helper.ts';

export const SOCKADDR = {
  sockaddr: {
    usage: 'sockaddr "GetPrivateIP"',
    meaning:
      'address of this machine: GetPrivateIP, GetPublicIP, GetInterfaceIP "eth0"; with IPs all of them; or nothing',
    examples: [['{{sockaddr "GetInterfaceIP \\"lo\\""}}', '127.0.0.1']],
    values: [1, 1],
    options: [],
    run: (_, [expression]) => sockaddr(textValue(expression, 'an expression such as "GetPrivateIP"')),
  },
} satisfies Record<string, Helper>;

/**
 * The part of go-sockaddr's language that says which address is ours, without pipes and filters. There is no asking of
 * the kernel's routes: IPv4 comes first, then the system's own order of interfaces.
 */
export function sockaddr(expression: string, interfaces = networkInterfaces()): string {
  const [, verb, name] =
    /^Get(Private|Public|Interface)IPs?(?:\s+["'`]([^"'`]+)["'`])?$/.exec(expression.trim()) ?? [];
  if (verb === undefined || (verb === 'Interface') !== (name !== undefined))
    throw new Error(
      `expected GetPrivateIP, GetPublicIP, GetInterfaceIP "eth0", or the same with IPs; got ${JSON.stringify(expression)} (pipes and filters are not supported)`,
    );
  const ours = Object.entries(interfaces)
    .flatMap(([device, addresses = []]) => addresses.map((address) => ({ device, ...address })))
    .filter((each) =>
      verb === 'Interface'
        ? each.device === name
        : isForwarded(each) && isPrivate(each) === (verb === 'Private'),
    )
    .sort((a, b) => Number(a.family !== 'IPv4') - Number(b.family !== 'IPv4'))
    .map(({ address }) => address);
  return /IPs/.test(expression) ? ours.join(' ') : (ours[0] ?? '');
}

/** Neither loopback nor link-local. */
function isForwarded({ address, internal }: NetworkInterfaceInfo): boolean {
  return !internal && !/^(169\.254\.|fe[89ab])/i.test(address);
}

/** RFC 1918, RFC 6598 and, for IPv6, RFC 4193. */
function isPrivate({ address, family }: NetworkInterfaceInfo): boolean {
  if (family === 'IPv6') return /^f[cd]/i.test(address);
  const [a = 0, b = 0] = address.split('.').map(Number);
  return (
    a === 10 ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 100 && b >= 64 && b < 128)
  );
}
