// hello-crm's records as rows, its JSON as values, and back.

/** A moment in microseconds. Never by the milliseconds of `Date` alone, which would round it. */
export function micros(text) {
  if (text === undefined || text === null) return undefined;
  const [, seconds, fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(text);
  return BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}

export function moment(micros) {
  const below = ((micros % 1000n) + 1000n) % 1000n;
  const milliseconds = new Date(Number((micros - below) / 1000n)).toISOString().slice(0, -1);
  return `${milliseconds}${String(below).padStart(3, '0')}Z`;
}

function valueOf(field, stored) {
  // What is not told differs from what is empty.
  if (stored === undefined) return { tag: 'unset' };
  if (stored === null) return { tag: 'null' };
  // The only reference there is, and in JSON a mere id.
  if (field === 'organisation') return { tag: 'reference', val: { object: 'organisation', id: stored } };
  if (Number.isSafeInteger(stored)) return { tag: 'integer', val: BigInt(stored) };
  if (typeof stored === 'string') return { tag: 'text', val: stored };
  if (Array.isArray(stored) && stored.every((text) => typeof text === 'string')) return { tag: 'texts', val: stored };
  // Never null: that would clear the field on the other side.
  return { tag: 'unreadable', val: `${JSON.stringify(stored)} is neither a number, a text nor a list of texts` };
}

export function jsonOf({ tag, val }) {
  switch (tag) {
    case 'null': return null;
    case 'integer': return Number(val);
    case 'reference': return val.id;
    case 'references': return val.map(({ id }) => id);
    case 'date':
      return [val.year, val.month, val.day].map((part, at) => String(part).padStart(at ? 2 : 4, '0')).join('-');
    case 'timestamp': return moment(val);
    case 'other': return val.text;
    default: return val;
  }
}

export function rowOf(record, fields) {
  return {
    id: record.id,
    changed: micros(record.updated_at),
    version: String(record.version),
    values: fields.map((name) => valueOf(name, record.fields[name])),
    fieldChanged: fields.map((name) => micros(record.changed[name])),
    extra: [],
  };
}
