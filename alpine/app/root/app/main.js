const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');

// Rendered before this starts; a change of it is a restart.
const { greeting } = JSON.parse(readFileSync('/tmp/greeter.json', 'utf8'));

createServer((_request, response) => response.end(`${greeting}\n`)).listen(Number(process.env.PORT));
