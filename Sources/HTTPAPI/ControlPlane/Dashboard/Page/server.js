// Calls the control plane that served the page, and tracks whether it answers.

const tokenKey = "dimerec.control-token";

/** The server refused: its problem document, or a generic message if it sent none. */
export class Refusal extends Error {
    constructor(status, problem) {
        super(problem?.detail ?? `The server answered ${status}.`);
        this.status = status;
        this.problem = problem;
    }
}

/** No server answered. */
export class Unreachable extends Error {}

// The token lives as long as the tab. It is sent in a header, never in an address.
export const token = {
    get: () => sessionStorage.getItem(tokenKey) ?? "",
    set: (value) => (value ? sessionStorage.setItem(tokenKey, value) : sessionStorage.removeItem(tokenKey)),
};

let watcher = () => {};

/** Calls `listener` after every exchange with whether the server answered. */
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

/** Posts JSON text, or nothing. The timeout is long, because an action may load a version. */
export async function post(path, body) {
    const sent = body === undefined ? {} : { body, headers: { "Content-Type": "application/json" } };
    return JSON.parse(await exchange(path, { method: "POST", patience: 600_000, ...sent }));
}
