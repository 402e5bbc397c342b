// Asks the query API with a short token that the server signs for whoever is signed in.
"use strict";

const RENEW_BEFORE_MS = 60_000;

export class Client {
  constructor(tokenAddress) {
    this.tokenAddress = tokenAddress;
    this.tokens = new Map();
  }

  // A Response of 2xx or 304; else throws an Error whose message is for people, and whose `isFinal`
  // says that asking the same again would not help.
  async get(project, path, parameters, etag = null) {
    const address = `${path}?${new URLSearchParams(parameters)}`;
    const headers = { Authorization: `Bearer ${await this.token(project)}` };
    if (etag) headers["If-None-Match"] = etag;
    let answer;
    try {
      answer = await fetch(address, { headers, cache: "no-store", credentials: "omit" });
    } catch {
      throw new Error("The server does not answer. Trying again.");
    }
    if (answer.ok || answer.status === 304) return answer;
    if (answer.status === 401) this.tokens.delete(project);
    const error = new Error(await sentenceOf(answer));
    error.isFinal = answer.status === 400 || answer.status === 422;
    throw error;
  }

  async token(project) {
    const held = this.tokens.get(project);
    if (held && held.until > Date.now()) return held.token;
    let answer;
    try {
      answer = await fetch(`${this.tokenAddress}?${new URLSearchParams({ project })}`);
    } catch {
      throw new Error("The server does not answer. Trying again.");
    }
    if (!answer.ok) throw new Error(await sentenceOf(answer));
    const { token, expires_in_s } = await answer.json();
    this.tokens.set(project, { token, until: Date.now() + expires_in_s * 1000 - RENEW_BEFORE_MS });
    return token;
  }
}

async function sentenceOf(answer) {
  try {
    const problem = await answer.json();
    return problem.detail ?? `The server answers ${answer.status}.`;
  } catch {
    return `The server answers ${answer.status}.`;
  }
}
