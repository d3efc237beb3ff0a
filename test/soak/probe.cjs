/** Preloaded into the programs that are measured (NODE_OPTIONS): what only they can tell of themselves, twice a second, in a file. */
const { renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const path = join(process.env.SOAK_PROBES, String(process.pid));
const tell = () => {
  const { heapUsed, external } = process.memoryUsage();
  const text = JSON.stringify({ heap: heapUsed + external, handles: process.getActiveResourcesInfo() });
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
};
setInterval(tell, 500).unref();
