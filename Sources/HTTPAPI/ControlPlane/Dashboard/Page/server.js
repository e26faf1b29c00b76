// Talks to the control plane that the page comes from, and knows whether it answers.

const tokenKey = "dimerec.control-token";

/** The server refused: its problem document, or one made up when it sent none. */
export class Refusal extends Error {
    constructor(status, problem) {
        super(problem?.detail ?? `The server answered ${status}.`);
        this.status = status;
        this.problem = problem;
    }
}

/** Nobody answered at all. */
export class Unreachable extends Error {}

// The token lives as long as the tab, is sent in a header and is never part of an address.
export const token = {
    get: () => sessionStorage.getItem(tokenKey) ?? "",
    set: (value) => (value ? sessionStorage.setItem(tokenKey, value) : sessionStorage.removeItem(tokenKey)),
};

let watcher = () => {};

/** Tells `listener` after every exchange whether the server answered. */
export function watchConnection(listener) {
    watcher = listener;
}

async function exchange(path, options = {}) {
    const headers = { ...options.headers };
    if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
    let response;
    let body;
    try {
        const signal = AbortSignal.timeout(options.patience ?? 10_000);
        response = await fetch(path, { ...options, headers, signal, credentials: "omit", cache: "no-store" });
        body = await response.text();
    } catch {
        watcher(false);
        throw new Unreachable("The server does not answer.");
    }
    watcher(true);
    if (response.ok) return body;
    throw new Refusal(response.status, parsed(body));
}

function parsed(body) {
    try {
        return JSON.parse(body);
    } catch {
        return undefined;
    }
}

export const getText = (path) => exchange(path);

export const getJSON = async (path) => JSON.parse(await exchange(path));

/** Posts JSON text, or nothing; an action may take as long as loading a version does. */
export async function post(path, body) {
    const sent = body === undefined ? {} : { body, headers: { "Content-Type": "application/json" } };
    return JSON.parse(await exchange(path, { method: "POST", patience: 600_000, ...sent }));
}
