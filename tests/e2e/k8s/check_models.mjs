// SPDX-License-Identifier: Apache-2.0
// usage: node check_models.mjs MODULES_DIR FILE...
// Walks each document of each manifest along the models of @kubernetes/client-node and reports
// unknown fields and values of the wrong type. No cluster is asked: kubectl cannot validate
// without one. The models are imported by file, for the package's root needs a newer Node.
import fs from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const [modules, ...files] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.resolve(modules, 'node_modules', name)).href);
const yaml = await load('js-yaml/dist/js-yaml.mjs');
const models = await load('@kubernetes/client-node/dist/gen/models/all.js');

const scalars = {string: 'string', number: 'number', boolean: 'boolean'};
const opaque = new Set(['IntOrString', 'any', 'object', 'Date', 'V1MicroTime']);

function* check(type, value, where) {
  if (value === null || value === undefined || opaque.has(type)) return;
  const list = /^(?:Array|Set)<(.*)>$/.exec(type);
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (list) {
    if (!Array.isArray(value)) yield `${where}: want a list`;
    else for (const [i, item] of value.entries()) yield* check(list[1], item, `${where}[${i}]`);
  } else if (map) {
    if (typeof value !== 'object' || Array.isArray(value)) yield `${where}: want a map`;
    else for (const key of Object.keys(value)) yield* check(map[1], value[key], `${where}.${key}`);
  } else if (type in scalars) {
    if (typeof value !== scalars[type]) yield `${where}: want ${type}, got ${typeof value}`;
  } else {
    yield* checkModel(type, value, where);
  }
}

function* checkModel(type, value, where) {
  const model = models[type];
  if (!model?.getAttributeTypeMap) {
    yield `${where}: no model ${type}`;
    return;
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    yield `${where}: want ${type}`;
    return;
  }
  const known = new Map(model.getAttributeTypeMap().map((a) => [a.baseName, a.type]));
  for (const key of Object.keys(value)) {
    if (known.has(key)) yield* check(known.get(key), value[key], `${where}.${key}`);
    else yield `${where}.${key}: unknown field of ${type}`;
  }
}

function modelOf(document) {
  const version = document.apiVersion.split('/').pop();
  return version[0].toUpperCase() + version.slice(1) + document.kind;
}

let faults = 0;
for (const file of files) {
  for (const document of yaml.loadAll(fs.readFileSync(file, 'utf8'))) {
    const found = [...check(modelOf(document), document, document.kind)];
    faults += found.length;
    console.log(`${path.basename(file)}: ${document.kind} ${document.metadata?.name}: ` +
                (found.length ? found.join('; ') : 'fits its model'));
  }
}
process.exit(faults ? 1 : 0);
