// HTTP with hello-crm, and what its answers mean to the host.

import { use } from 'entente:integration/secrets@0.1.0-draft.2';
import { get } from 'entente:integration/settings@0.1.0-draft.2';
import { Trouble } from './trouble.js';

/** Sends a request and answers what the body holds. `Trouble` where another request would fare no better. */
export async function call(method, path, { query = {}, body } = {}) {
  const url = get('url');
  if (url?.tag !== 'text') throw new Trouble('misconfigured', "the setting 'url' is not set", { sent: false });
  const search = new URLSearchParams(query).toString();
  const address = `${url.val.replace(/\/+$/, '')}/v1/${path}${search && '?'}${search}`;
  // The host puts the key in place of the placeholder. A placeholder is good in this call only.
  const headers = { authorization: `Bearer ${use('api-key')}`, accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';

  let response, text;
  try {
    response = await fetch(address, { method, headers, body: body && JSON.stringify(body) });
    text = await response.text();
  } catch (failed) {
    const reason = `hello-crm cannot be asked (${failed.message}): it is down, or its host is not granted`;
    throw new Trouble('unavailable', reason);
  }
  const json = parsed(text);
  if (response.ok) {
    if (json === undefined) {
      throw new Trouble('invalid-answer', `hello-crm answered what is no JSON: ${text.slice(0, 200)}`);
    }
    return json;
  }
  throw trouble(response, json?.error);
}

function trouble(response, refusal) {
  const { status } = response;
  const reason = refusal?.message ?? `hello-crm answered ${status}`;
  const seconds = response.headers.get('retry-after') ?? '';
  const after = /^\d+$/.test(seconds) ? Number(seconds) : undefined;
  if (status === 401) return new Trouble('unauthorized', reason, { sent: false });
  if (status === 403) return new Trouble('forbidden', reason, { sent: false });
  if (status === 429) return new Trouble('rate-limited', reason, { after, sent: false });
  // A server that fails may have written before.
  if (status === 408 || status >= 500) return new Trouble('unavailable', reason, { after });
  const expired = ['cursor-expired', 'sync-token-expired'].includes(refusal?.code);
  return new Trouble(expired ? 'cursor-expired' : `http-${status}`, reason, { sent: false });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
