// What goes wrong, as the host takes it.

/** What concerns the remote system or the credential, and so every record. */
export class Trouble extends Error {
  /** @param sent whether the request may have been carried out: of a change nobody knows what became of it then */
  constructor(code, reason, { after, sent = true } = {}) {
    super(reason);
    this.error = { code, reason, after, object: undefined, extra: [] };
    this.sent = sent;
  }
}

/**
 * The functions of an interface, so that what they throw becomes an error of the interface. Without this a mistake in
 * the code is a crash, or comes out as «expected a string»; with it, it says its name and its place.
 */
export function told(functions) {
  const wrap = (call) => async (...given) => {
    try {
      return await call(...given);
    } catch (thrown) {
      // `payload`: an error of the host, from an imported function.
      const error = thrown?.error ?? thrown?.payload;
      if (typeof error?.code === 'string') throw error;
      const reason = `${thrown}\n${thrown?.stack ?? ''}`;
      throw { code: 'plugin-failed', reason, after: undefined, object: undefined, extra: [] };
    }
  };
  return Object.fromEntries(Object.entries(functions).map(([name, call]) => [name, wrap(call)]));
}
