// A plugin for hello-crm in JavaScript: what it has, what is new there, and the changes that it is asked to make.
//
// What is exported bears the names of the interfaces in world.wit, in JavaScript's spelling. Optional values are
// `undefined` where there is none, variants are `{ tag, val }`, and 64-bit numbers are BigInt.

import { call } from './client.js';
import { jsonOf, micros, moment, rowOf } from './records.js';
import { Trouble, told } from './trouble.js';

// Organisations first, so that those that people refer to are known by then.
const PATHS = new Map([['organisation', 'organisations'], ['person', 'persons']]);
// The most rows of a page where the schema tells no other number, and the most keys of a search and ids of a listing.
const PAGE_SIZE = 200;
// The most changes of a batch.
const ORDER_SIZE = 100;

function path(object) {
  if (!PATHS.has(object)) {
    throw new Trouble('misconfigured', `hello-crm has no object '${object}'; check the mapping`, { sent: false });
  }
  return PATHS.get(object);
}

export const mappingManual = told({
  async describe() {
    const { objects, account: told, largest_page: pageSize = PAGE_SIZE } = await call('GET', 'schema');
    // Which account this is: the host never mixes its records up with those of another one.
    const account = told ? { system: 'hello-crm', id: told.id, label: told.name, extra: [] } : undefined;
    const known = objects.filter(({ name }) => PATHS.has(name));
    return { objects: known.map((object) => described(object, pageSize)), account, extra: [] };
  },

  async manual() {
    const shared = ['email', 'phone', 'website', ['address', 'street'], 'city', 'region', 'country'];
    const person = [
      'first_name', 'last_name', 'mobile', 'tags',
      ['company', 'organisation'], ['position', 'job_title'], ['points', 'score'],
    ];
    const mappings = [
      mapping('company', 'organisation', 'name', ['name'], ['name', ...shared]),
      mapping('contact', 'person', 'last_name', ['email'], [...person, ...shared]),
    ];
    return { mappings, extra: [] };
  },
});

function described({ name, label, fields }, pageSize) {
  const words = (field) => Object.entries({
    required: field.required,
    'read-only': !field.writable,
    identifier: field.identifier,
    'set-like': field.kind === 'texts',
  }).filter(([, holds]) => holds).map(([word]) => word);
  return {
    name,
    label,
    fields: fields.map((field) => ({
      name: field.name,
      label: field.label,
      kind: field.kind,
      features: words(field),
      targets: field.targets ?? [],
      choices: [],
      maxLength: field.max_length ?? undefined,
      extra: [],
    })),
    changeTimes: 'field',
    precision: 1n,
    features: [
      'create', 'update', 'delete', 'deletions', 'full-listing', 'idempotent-create', 'conditional-update', 'by-id',
    ],
    searchLag: undefined,
    pageSize,
    orderSize: ORDER_SIZE,
    extra: [],
  };
}

function mapping(hub, remote, required, identifiers, fields) {
  const both = fields.map((pair) => (Array.isArray(pair) ? pair : [pair, pair]))
    .map(([ours, theirs]) => ({ hub: ours, remote: theirs, direction: 'both', required: ours === required, extra: [] }));
  return { hub, remote, fields: both, identifiers, identifyByAll: false, extra: [] };
}

export const syncReport = told({
  /** A page of one object. The cursor says which object, and where in it. */
  async report(request) {
    const place = request.cursor === undefined ? { object: 0 } : JSON.parse(request.cursor);
    const order = [...PATHS.keys()];
    request.objects.forEach(({ object }) => path(object));
    const wanted = [...request.objects].sort((one, other) => order.indexOf(one.object) - order.indexOf(other.object));
    const of = wanted[place.object];
    if (of === undefined) return page({});
    let read;
    try {
      read = await (of.ids.length > 0 ? byIds : listed)(request, of, place.at);
    } catch (trouble) {
      // A token that is too old is one of this object: the others go on from theirs.
      if (trouble instanceof Trouble) trouble.error.object = of.object;
      throw trouble;
    }
    const next = read.at === undefined ? { object: place.object + 1 } : { object: place.object, at: read.at };
    return page({ ...read, next: next.object < wanted.length ? JSON.stringify(next) : undefined });
  },
});

function page({ batches = [], conversions = [], next, finished = [] }) {
  return { batches, conversions, next, after: undefined, finished, extra: [] };
}

async function listed(request, of, at) {
  const since = of.window.since;
  const everything = of.full || (of.bookmark === undefined && since === undefined);
  const byWindow = !everything && of.bookmark === undefined;
  const query = { fields: of.fields.join(','), limit: request.limit };
  if (byWindow) Object.assign(query, { updated_since: moment(since), updated_before: moment(of.window.until) });
  // hello-crm's sync token is the bookmark of this plugin.
  if (byWindow || everything) query.include_deleted = !request.firstTime;
  else query.sync_token = of.bookmark;
  if (at !== undefined) query.after = at;
  const listing = await call('GET', path(of.object), { query });
  const goesOn = listing.next !== null;
  // A window ends before its listing begins: the token would skip what happened in between.
  const bookmark = byWindow ? undefined : listing.sync_token ?? undefined;
  return {
    ...rows(of, listing),
    at: listing.next ?? undefined,
    finished: goesOn ? [] : [{ object: of.object, bookmark, complete: everything, extra: [] }],
  };
}

async function byIds(request, of, begin = 0) {
  const limit = Math.min(request.limit, PAGE_SIZE);
  const ids = of.ids.slice(begin, begin + limit);
  const query = { fields: of.fields.join(','), ids: ids.join(','), limit, include_deleted: true };
  const listing = { records: [], deleted: [] };
  // Pages may be smaller than what was asked for: what is on the next one is not missing.
  for (let after; after !== null;) {
    const part = await call('GET', path(of.object), { query: after === undefined ? query : { ...query, after } });
    listing.records.push(...part.records);
    listing.deleted.push(...part.deleted);
    after = part.next ?? null;
  }
  const read = rows(of, listing);
  // An id that hello-crm passes over was never there, or is so no more: for the host both is gone.
  const known = new Set([...listing.records, ...listing.deleted].map(({ id }) => id));
  const missing = [...new Set(ids)].filter((id) => !known.has(id));
  read.batches[0].deleted.push(...missing.map((id) => ({ id, deleted: undefined, extra: [] })));
  return { ...read, at: begin + limit < of.ids.length ? begin + limit : undefined };
}

function rows(of, listing) {
  const merged = listing.deleted.filter((record) => record.merged_into);
  const gone = listing.deleted.filter((record) => !record.merged_into);
  const reference = (id) => ({ object: of.object, id });
  return {
    batches: [{
      object: of.object,
      fields: of.fields,
      rows: listing.records.map((record) => rowOf(record, of.fields)),
      deleted: gone.map((record) => ({ id: record.id, deleted: micros(record.deleted_at), extra: [] })),
      unreadable: [],
      extra: [],
    }],
    conversions: merged.map((record) => (
      { before: reference(record.id), after: reference(record.merged_into), at: micros(record.deleted_at), extra: [] }
    )),
  };
}

export const orderExecution = told({
  /**
   * The order as one batch. The id of a change is its idempotency key, so nothing happens twice when an answer
   * gets lost and the host sends the change again.
   *
   * An order that ends in an error may have been carried out, whatever the code. So where the batch was turned
   * away each change is answered with `retry`; where it may have been done none is answered; and `stopped` says
   * why.
   */
  async execute(order) {
    const answer = (change, outcome) => ({ change: change.id, outcome, extra: [] });
    let done;
    try {
      const changes = order.changes.map((change) => ordered(order, change));
      done = (await call('POST', `${path(order.object)}/batch`, { body: { changes } })).results;
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      const { after, reason } = trouble.error;
      const retry = { tag: 'retry', val: { after, reason, extra: [] } };
      const answers = trouble.sent ? [] : order.changes.map((change) => answer(change, retry));
      return { answers, stopped: trouble.error, extra: [] };
    }
    const results = new Map(done.map((result) => [result.id, result]));
    const answers = [];
    for (const change of order.changes) {
      const outcome = results.has(change.id) ? outcomeOf(order, change, results.get(change.id)) : undefined;
      // Without an answer the host finds out by itself what became of the change.
      if (outcome !== undefined) answers.push(answer(change, outcome));
    }
    return { answers, stopped: undefined, extra: [] };
  },

  async collect() {
    throw new Trouble('unsupported', 'hello-crm answers at once', { sent: false });
  },
});

function ordered(order, change) {
  const named = order.fields.map((name, at) => [name, change.values[at]]);
  const set = named.filter(([, value]) => value && value.tag !== 'unset');
  const fields = Object.fromEntries(set.map(([name, value]) => [name, jsonOf(value)]));
  const version = change.version === undefined ? undefined : Number(change.version);
  const { tag, val } = change.action;
  switch (tag) {
    case 'create': return { id: change.id, action: 'create', fields };
    case 'update': return { id: change.id, action: 'update', record: val, fields, if_version: version };
    default: return { id: change.id, action: 'delete', record: val, if_version: version };
  }
}

/** What became of a change; `undefined`: hello-crm failed over it and may have made it. */
function outcomeOf(order, change, { status, record, error = {} }) {
  const row = record ? rowOf(record, order.fields) : undefined;
  if (status === 201) return { tag: 'created', val: row };
  // hello-crm leaves the version as it is when a write changes nothing.
  if (status === 200) return { tag: row.version === change.version ? 'unchanged' : 'updated', val: row };
  if (status === 412) return { tag: 'stale', val: row };
  if (status === 410 && error.merged_into) {
    return { tag: 'converted', val: { object: order.object, id: error.merged_into } };
  }
  if (status === 204 || status === 404 || status === 410) return { tag: 'deleted' };
  if (status === 408 || status >= 500) return undefined;
  if (status === 429) return { tag: 'retry', val: { after: error.retry_after, reason: error.message, extra: [] } };
  return { tag: 'failed', val: failure(status, error) };
}

function failure(status, { code = String(status), message = `hello-crm answered ${status}`, fields = [] }) {
  const required = fields.every((field) => field.code === 'required');
  const invalid = code === 'invalid-fields' && (required ? 'required' : 'invalid-value');
  const known = { 403: 'forbidden', 409: 'duplicate', 413: 'too-large' };
  const details = fields.map((field) => `${field.name}: ${field.message}`).join('; ');
  return {
    // A code of the remote's own is told as one: the host acts on some of those that the interface has.
    code: known[status] ?? (invalid || `hello-crm:${code}`),
    reason: `${message} ${details}`.trim(),
    fields: fields.map(({ name }) => name),
    extra: [],
  };
}

export const lookup = told({
  async find(query) {
    const ids = query.keys.map(() => []);
    // By which fields are set: hello-crm matches nothing for a blank, so blanks are not sent.
    const groups = new Map();
    query.keys.forEach((key, number) => {
      const present = query.fields.map((_, at) => at).filter((at) => (key[at]?.val ?? '') !== '');
      if (present.length === 0) return;
      const group = groups.get(String(present)) ?? { present, numbers: [] };
      group.numbers.push(number);
      groups.set(String(present), group);
    });
    for (const { present, numbers } of groups.values()) {
      for (let begin = 0; begin < numbers.length; begin += PAGE_SIZE) {
        const some = numbers.slice(begin, begin + PAGE_SIZE);
        const body = {
          fields: present.map((at) => query.fields[at]),
          keys: some.map((number) => present.map((at) => jsonOf(query.keys[number][at]))),
          match: query.all ? 'all' : 'any',
        };
        const { results } = await call('POST', `${path(query.object)}/search`, { body });
        // One result for each key, or they cannot be told apart.
        if (results.length !== some.length) {
          throw new Trouble('invalid-answer', `${some.length} keys were searched for, ${results.length} were answered`);
        }
        some.forEach((number, at) => { ids[number] = results[at].ids; });
      }
    }
    return { ids, extra: [] };
  },
});
