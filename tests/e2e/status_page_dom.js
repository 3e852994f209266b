// SPDX-License-Identifier: Apache-2.0
// Runs the status page's script without a browser: a document that only remembers what was put into it.
//   node status_page_dom.js SCRIPT FIRST.json SECOND.json   prints {id: text} of the page after two documents
'use strict';
const fs = require('fs');
const vm = require('vm');

class Node {
  constructor(tag) { this.tag = tag; this.children = []; this.style = {}; this.attributes = {}; this.own = ''; }
  set textContent(text) { this.children = []; this.own = String(text); }
  get textContent() { return this.own + this.children.map((c) => (c instanceof Node ? c.textContent : c)).join(' '); }
  append(...nodes) { this.children.push(...nodes); }
  replaceChildren(...nodes) { this.own = ''; this.children = nodes; }
  setAttribute(name, value) { this.attributes[name] = value; }
  getContext() { return new Proxy({}, {get: () => () => undefined, set: () => true}); }
  get clientWidth() { return 300; }
  get clientHeight() { return 96; }
}

const [script, ...documents] = process.argv.slice(2);
const byId = new Map();
const answers = documents.map((path) => JSON.parse(fs.readFileSync(path, 'utf8')));
let asked = 0;
const failures = [];
const sandbox = {
  Node,
  document: {
    documentElement: new Node('html'),
    getElementById: (id) => { if (!byId.has(id)) byId.set(id, new Node(id)); return byId.get(id); },
    createElement: (tag) => new Node(tag),
  },
  window: {devicePixelRatio: 1, addEventListener: () => {}},
  getComputedStyle: () => ({getPropertyValue: () => '#000'}),
  AbortSignal: {timeout: () => undefined},
  fetch: async () => ({ok: true, json: async () => answers[asked++]}),
  setTimeout: (again) => { if (asked < answers.length) again(); else finish(); },
  console: {log: (...words) => failures.push(words.join(' '))},
};

function finish() {
  const out = {};
  for (const [id, node] of byId) out[id] = node.textContent;
  process.stdout.write(JSON.stringify(out));
}

vm.runInNewContext(fs.readFileSync(script, 'utf8'), sandbox, {filename: script});
