// The whole page: polls the server and shows when the server does not answer.

import { byID, element } from "/elements.js";
import { explainNoMap, showMap, startMap } from "/map.js";
import { add, ask, askAgain, nameItems, startQuery } from "/query.js";
import { getJSON, getText, Refusal, token, Unreachable, watchConnection } from "/server.js";
import { showTraffic, startTraffic } from "/traffic.js";
import { showAliases, showModels, showRequests, showShares, startVersions } from "/versions.js";

const isGone = { since: undefined };
let mapped;
let isFirstMap = true;
let isAsked = false;

function showConnection(answers) {
    if (answers === (isGone.since === undefined)) return;
    isGone.since = answers ? undefined : new Date();
    const lost = byID("lost");
    lost.hidden = answers;
    lost.textContent = answers ? ""
        : `The server has not answered since ${isGone.since.toLocaleTimeString()}; this page shows what it said last and keeps asking.`;
    document.body.classList.toggle("stale", !answers);
    if (answers) start();
    else setStatus("no connection", "bad");
}

function setStatus(text, kind) {
    const status = byID("status");
    if (status.textContent === text) return;
    status.textContent = text;
    status.className = `pill ${kind}`;
}

async function refreshTraffic() {
    const { ready, shares } = showTraffic(await getText("/metrics"));
    showShares(shares);
    setStatus(ready ? "serving" : "not ready", ready ? "good" : "bad");
}

async function refreshModels() {
    const { models } = await getJSON("/v1/models");
    showModels({ models });
    const active = models.flatMap(({ name, versions }) =>
        versions.filter(({ state }) => state === "active").map(({ version }) => ({ name, version })));
    showChoice([...new Set(active.map(({ name }) => name))]);
    const served = active.map(({ name, version }) => `${name} ${version}`).join();
    if (served !== mapped) await refreshMap(served);
}

/** Offers the models in service as a choice, if there are several. */
function showChoice(names) {
    const choice = byID("model");
    byID("model-field").hidden = names.length < 2;
    if ([...choice.options].map(({ value }) => value).join("\n") === names.join("\n")) return;
    const chosen = choice.value;
    choice.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    if (names.includes(chosen)) choice.value = chosen;
}

/** Draws the map of the version in service, then runs the query of the address. */
async function refreshMap(served) {
    if (served === "") return explainNoMap("The map appears once a version is in service.");
    try {
        const map = await getJSON(`/debug/map?model=${encodeURIComponent(byID("model").value)}`);
        nameItems(map);
        showMap(map);
        mapped = served;
        if (isFirstMap && isAsked) ask();
        else askAgain();
        isFirstMap = false;
    } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        // The answer stays the same until the token or the version changes.
        if (error.status === 401) mapped = served;
        explainNoMap(reason(error, "the map"));
    }
}

const reason = (error, what) => (error.status === 401 ? `Enter the control token above to see ${what}.` : error.message);

/** Routes that this server does not have, or that need another token. */
const closed = new Set();

/** The answer of a route. Calls `otherwise` on a refusal; does not request a closed route again. */
async function optional(path, otherwise) {
    if (closed.has(path)) return undefined;
    try {
        return await getJSON(path);
    } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (error.status === 404 || error.status === 401) closed.add(path);
        otherwise(error);
        return undefined;
    }
}

async function refreshAliases() {
    const found = await optional("/v1/aliases", () => showAliases(undefined));
    if (found) showAliases(found.aliases);
}

async function refreshRequests() {
    const found = await optional("/debug/requests", (error) => showRequests(undefined, error.status === 404
        ? "This server does not record slow requests." : reason(error, "the slowest requests")));
    if (found) showRequests(found.requests);
}

async function refreshBuild() {
    const { name, version, platform } = await getJSON("/version");
    byID("build").textContent = `${name} ${version} · ${platform}`;
}

/** Calls `work` now and then every `seconds`, while the page is visible; calls never overlap. */
function every(seconds, work) {
    const run = async () => {
        try {
            if (!document.hidden) await work();
        } catch (error) {
            if (!(error instanceof Unreachable)) console.error(error);
        }
        setTimeout(run, seconds * 1000);
    };
    run();
}

/** Reloads everything at once: at a reconnect or after a change of the token. */
function start() {
    mapped = undefined;
    closed.clear();
    for (const work of [refreshBuild, refreshModels, refreshAliases, refreshRequests]) {
        work().catch((error) => {
            if (!(error instanceof Unreachable)) console.error(error);
        });
    }
}

startTraffic();
startVersions(start);
startMap(({ id }) => add(id));
isAsked = startQuery();
watchConnection(showConnection);
byID("token").value = token.get();
byID("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(byID("token").value.trim());
    byID("token-note").textContent = token.get() ? "kept until this tab is closed" : "forgotten";
    start();
});
byID("model").addEventListener("change", start);
refreshBuild().catch(() => {});
every(2, refreshTraffic);
every(4, refreshModels);
every(10, refreshAliases);
every(5, refreshRequests);
