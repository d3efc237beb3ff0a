import { constants, lstatSync, type Stats } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TEMPLATER } from '../core/services.ts';
import { causeOf, describe } from '../errors.ts';
import { isOurs } from '../os/account.ts';
import { ifThere } from '../templater/disk.ts';
import { createLanguage } from '../templater/language.ts';
import { type Ids, lookUpOwner } from '../templater/owner.ts';
import { followLinks } from '../templater/place.ts';
import type { Settings } from '../templater/settings.ts';
import { readTemplates, type Template } from '../templater/templates.ts';
import { cannotWrite } from '../templater/write.ts';
import { type Complaint, complain, undescribe } from './complaint.ts';
import type { Facts } from './facts.ts';

/** The templates as the templater would refuse them, and where it would fail to write. */
export async function checkTemplates({ scandir, env, helpers, uid, services }: Facts): Promise<Complaint[]> {
  const complaints: Complaint[] = [];
  const language = createLanguage({ helpers }, ({ message, hint }) => {
    complaints.push(complain('error', null, helpers ?? '', hint ? { message, hint } : { message }));
  });
  const { templates } = await readTemplates([scandir.path], env, language);
  const closed = new Set(
    scandir.services
      .filter(({ path, unreadable }) => unreadable.some(({ file }) => file === path))
      .map(({ name }) => name),
  );
  const templater = services.find(({ config }) => config.name === TEMPLATER);
  const isOurUser = templater?.config.account === undefined || isOurs(templater.config.account);
  for (const template of templates) {
    const { service, file, problem, settings } = template;
    // A service directory that cannot be read is told as such.
    if (closed.has(service)) continue;
    if (problem !== undefined) complaints.push(complain('error', service, file, undescribe(problem)));
    if (!settings) continue;
    const refusal = await writeRefusal(settings, isOurUser ? uid : undefined);
    if (refusal !== undefined) complaints.push(complain('error', service, file, undescribe(refusal)));
    const isOneshot = services.some(({ config }) => config.name === service && config.type === 'oneshot');
    if (settings.onChange === 'reload' && isOneshot) complaints.push(pointless(template));
  }
  return complaints;
}

/** It ran to its end, so that nobody is there to reload. */
function pointless({ service, file }: Template): Complaint {
  return complain('warning', service, file, {
    message: `cannot reload "${service}": a oneshot does not run any more when the file changes`,
    hint: 'on-change: restart runs it again, on-change: none does not',
  });
}

/**
 * Why the destination cannot be written, in the templater's words; undefined where it can. Nothing is written.
 * @param uid whom the templater runs as; undefined where it is another, for whom we cannot ask
 */
async function writeRefusal({ dest, owner }: Settings, uid: number | undefined): Promise<string | undefined> {
  try {
    const path = followLinks(dest);
    const old = ifThere(() => lstatSync(path));
    if (old?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (old && !old.isFile()) throw new Error('it is not a regular file');
    const ids = owner ? lookUpOwner(owner) : undefined;
    if (uid === undefined) return undefined;
    if (ids) mayGive(ids, old, uid);
    await mayWrite(path, old);
    return undefined;
  } catch (error) {
    return describe(cannotWrite(dest, error));
  }
}

/** Only root gives files away; a group of our own is ours to give. */
function mayGive(ids: Ids, old: Stats | undefined, uid: number): void {
  const owner = ids.uid ?? old?.uid ?? uid;
  const groups = [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])];
  const group = ids.gid ?? old?.gid ?? groups[0] ?? 0;
  if (uid === 0 || (owner === uid && groups.includes(group))) return;
  throw new Error(
    `cannot give it to ${owner}:${group}: ${causeOf(Object.assign(new Error(), { code: 'EPERM' }))}`,
  );
}

/** A new file is made beside the destination and renamed; where that is not allowed, the old one is rewritten. */
async function mayWrite(path: string, old: Stats | undefined): Promise<void> {
  try {
    await access(nearestDirectory(dirname(path)), constants.W_OK | constants.X_OK);
  } catch (error) {
    if (!old) throw error;
    await access(path, constants.R_OK | constants.W_OK);
  }
}

/** The one that is there, where the templater must make those below it. */
function nearestDirectory(path: string): string {
  const stat = ifThere(() => lstatSync(followLinks(path)));
  if (stat?.isDirectory()) return path;
  if (stat) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  return nearestDirectory(dirname(path));
}
