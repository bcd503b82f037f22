// Makes a component of a JavaScript project, by the package that is installed there:
// node --input-type=module --eval SCRIPT -- SOURCE WIT WORLD OUTPUT http|no-http
import { writeFile } from 'node:fs/promises';

const [sourcePath, witPath, worldName, output, http] = process.argv.slice(1);
const tool = await import('@bytecodealliance/componentize-js').catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  process.exit(9);
});
// `fetch` imports wasi:http; a plugin that asks for no host has none. Nobody calls a plugin by HTTP.
const disableFeatures = http === 'http' ? ['fetch-event'] : ['fetch-event', 'http'];
try {
  const { component } = await tool.componentize({ sourcePath, witPath, worldName, disableFeatures });
  await writeFile(output, component);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
