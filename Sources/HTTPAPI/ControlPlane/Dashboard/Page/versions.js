// The versions of every model with their actions, the aliases, and the slowest requests.

import { age, byID, count, duration, element, empty, figure, percent, replace, table } from "/elements.js";
import { post, Refusal } from "/server.js";

const shownVersions = 5;
const unfolded = new Set();
const seen = { models: "", aliases: "", requests: "" };
let onChange = () => {};
let shares = new Map();

/** Prepares the confirmation; `changed` is called after every action. */
export function startVersions(changed) {
    onChange = changed;
    byID("confirm-no").addEventListener("click", () => byID("confirm").close());
}

/** Asks for confirmation before a change of the versions in service; Cancel has the focus. */
function confirm(title, text, verb, action) {
    byID("confirm-title").textContent = title;
    byID("confirm-text").textContent = text;
    byID("confirm-yes").textContent = verb;
    byID("confirm-yes").onclick = () => {
        byID("confirm").close();
        action();
    };
    byID("confirm").showModal();
    byID("confirm-no").focus();
}

async function act(path, doing, done) {
    const note = byID("versions-note");
    note.classList.remove("bad");
    note.textContent = `${doing} …`;
    try {
        const result = await post(path);
        note.textContent = typeof done === "function" ? done(result) : done;
    } catch (error) {
        note.classList.add("bad");
        note.textContent = error.message;
        if (error instanceof Refusal && error.status === 401) byID("token").focus();
    }
    onChange();
}

const path = (model, rest) => `/v1/models/${encodeURIComponent(model)}${rest}`;

function versionRow(model, version) {
    const name = `version ${version.version} of ${model.name}`;
    const at = `/versions/${version.version}`;
    const isChosen = version.version === model.active_version;
    const actions = element("div", { class: "actions" },
        element("button", {
            type: "button", "data-key": `activate ${name}`, "aria-label": `Activate ${name}`,
            disabled: isChosen && version.state === "active",
            click: () => confirm(`Activate ${name}?`,
                "The service loads, checks and warms up this version first. Until then, or if that fails, the current version answers.",
                "Activate",
                () => act(path(model.name, `${at}:activate?wait=true`), `Activating ${name}`, `${name} is active.`)),
        }, "Activate"),
        element("button", {
            type: "button", "data-key": `verify ${name}`, "aria-label": `Verify ${name}`,
            click: () => act(path(model.name, `${at}:verify`), `Reading every byte of ${name}`, `${name} is intact.`),
        }, "Verify"));
    const share = shares.get(`${model.name} ${version.version}`);
    return [
        element("span", { class: "version" }, `v${version.version}`),
        [element("span", { class: `pill state-${version.state}` }, version.state),
            version.reason ? element("p", { class: "reason" }, version.reason) : null].flat(),
        version.created_at
            ? element("time", { datetime: version.created_at, title: version.created_at }, age(version.created_at)) : "–",
        version.items === undefined ? "–" : count(version.items),
        version.system === undefined ? "–" : trainingDetails(version, name),
        element("span", { "data-share": `${model.name} ${version.version}` }, share === undefined ? "–" : percent(share)),
        actions,
    ].map((cell) => [cell].flat());
}

const metricNames = ["hr@20", "ndcg@20"];

function trainingDetails(version, name) {
    const metrics = version.metrics ?? {};
    const main = metricNames.filter((metric) => metric in metrics);
    const shown = (main.length > 0 ? main : Object.keys(metrics).sort().slice(0, 2))
        .map((metric) => `${metric.toUpperCase()} ${metrics[metric].toFixed(3)}`).join(" · ");
    const rows = [
        ...Object.entries(metrics).sort().map(([metric, value]) => [metric.toUpperCase(), value.toFixed(4)]),
        ["Training rows", count(version.train_rows)], ["Training time", duration(version.seconds)],
        ["Dimension", version.dimension], ["System", version.system], ["Seed", version.seed], ["Build", version.build],
    ];
    const key = `details ${name}`;
    return element("details", {
        open: unfolded.has(key),
        toggle: (event) => (event.target.open ? unfolded.add(key) : unfolded.delete(key)),
    },
    element("summary", { "data-key": key }, shown || "details"),
    element("dl", { class: "facts" }, rows.map(([term, fact]) =>
        element("div", {}, element("dt", {}, term), element("dd", {}, String(fact))))));
}

/** The validation HR@20 of a model's versions by the time of their publication; null with fewer than two. */
function trend(model) {
    const points = model.versions.filter(({ created_at, metrics }) => created_at && metrics?.["hr@20"] !== undefined)
        .sort((a, b) => a.version - b.version);
    if (points.length < 2) return null;
    const [width, height, edge] = [600, 90, 8];
    const times = points.map(({ created_at }) => Date.parse(created_at));
    const values = points.map(({ metrics }) => metrics["hr@20"]);
    const [first, last, low, high] = [times[0], Math.max(...times), Math.min(...values), Math.max(...values)];
    const place = (value, from, to, size) => edge + (to > from ? (value - from) / (to - from) : 0.5) * (size - 2 * edge);
    const at = points.map((_, i) => [place(times[i], first, last, width), height - place(values[i], low, high, height)]);
    return element("figure", { class: "trend" },
        element("figcaption", { class: "quiet" },
            `Validation HR@20 by time of publication: ${low.toFixed(3)} to ${high.toFixed(3)}. `
            + "Versions of different logs were validated by different events, so their figures do not compare."),
        element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Validation HR@20 of ${points.length} versions` },
            element("polyline", { points: at.map((point) => point.join(",")).join(" ") }),
            points.map(({ version, created_at }, i) => element("circle",
                { cx: at[i][0], cy: at[i][1], r: version === model.active_version ? 6 : 4, class: version === model.active_version ? "chosen" : undefined },
                element("title", {}, `v${version}, ${created_at}: ${values[i].toFixed(4)}`)))));
}

const columns = ["Version", "State", "Trained", "Items", "Validation", "Traffic", "Actions"];

/** Shows the answer of GET /v1/models; redraws only changes. */
export function showModels({ models }) {
    const text = JSON.stringify(models);
    if (text === seen.models) return refreshAges();
    seen.models = text;
    if (models.length === 0) {
        return byID("models").replaceChildren(element("div", { class: "card" },
            empty("The store has no version yet. Train one with “dimerec train”, or import one.")));
    }
    replace(byID("models"), models.map((model) => {
        const newest = [...model.versions].sort((a, b) => b.version - a.version);
        const all = `all ${model.name}`;
        // Never fold away versions that are in use or have failed.
        const rows = newest.filter(({ state, version }, i) => unfolded.has(all) || i < shownVersions
            || version === model.active_version || !["available", "unloaded"].includes(state));
        const active = newest.find(({ state }) => state === "active");
        return element("article", { class: "card", "aria-label": `Model ${model.name}` },
            element("div", { class: "heading" },
                element("h3", {}, model.name),
                element("p", { class: "quiet" }, active ? `v${active.version} answers` : "no version answers"),
                element("button", {
                    type: "button", "data-key": `rollback ${model.name}`, disabled: newest.length < 2,
                    click: () => confirm(`Roll ${model.name} back?`,
                        `The version that was active before${active ? ` v${active.version}` : ""} answers again.`,
                        "Roll back",
                        () => act(path(model.name, ":rollback"), `Rolling ${model.name} back`,
                            ({ version }) => `${model.name} is back at version ${version}.`)),
                }, "Roll back")),
            table(`Versions of ${model.name}`, columns, rows.map((version) => versionRow(model, version))),
            trend(model),
            newest.length > rows.length ? element("button", {
                type: "button", class: "more", "data-key": all,
                click: () => {
                    unfolded.add(all);
                    seen.models = "";
                    showModels({ models });
                },
            }, `Show all ${newest.length} versions`) : null);
    }));
}

function refreshAges() {
    for (const time of byID("models").querySelectorAll("time")) time.textContent = age(time.dateTime);
}

/** Shows each version's share of the recent requests. */
export function showShares(found) {
    shares = found;
    for (const place of byID("models").querySelectorAll("[data-share]")) {
        const share = found.get(place.dataset.share);
        place.textContent = share === undefined ? "–" : percent(share);
    }
}

/** Shows the aliases; undefined if the server has no such route. */
export function showAliases(aliases) {
    const text = JSON.stringify(aliases ?? null);
    if (text === seen.aliases) return;
    seen.aliases = text;
    if (!aliases?.length) {
        return byID("aliases").replaceChildren(
            empty("No aliases. Requests name a model, and its active version answers."));
    }
    byID("aliases").replaceChildren(table("Aliases", ["Alias", "Model", "Split", "Shadow", "Guard"],
        aliases.map(({ name, model, split, shadow, guard }) => [
            [element("strong", {}, name)], [model],
            split?.length ? splitBar(split) : ["active version"],
            [shadow ? `${figure(shadow)} %` : "–"], [guardText(guard)],
        ])));
}

function splitBar(split) {
    let start = 0;
    return [
        element("svg", { class: "stack small", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
            split.map(({ percent: part }, i) => {
                start += part;
                return element("rect", { class: `fill${i % 8}`, x: start - part, y: 0, width: part, height: 8 });
            })),
        split.map(({ version, percent: part }) => `v${version} ${figure(part)} %`).join(" · "),
    ];
}

function guardText(guard) {
    if (!guard) return "–";
    const bounds = [];
    if (guard.max_error_rate != null) bounds.push(`errors ≤ ${percent(guard.max_error_rate)}`);
    if (guard.max_p99_ms != null) bounds.push(`p99 ≤ ${figure(guard.max_p99_ms)} ms`);
    return bounds.join(", ") || "–";
}

/** Shows the slowest recent requests, or why there are none. */
export function showRequests(requests, reason) {
    const text = JSON.stringify([requests ?? null, reason]);
    if (text === seen.requests) return;
    seen.requests = text;
    if (!requests?.length) return byID("requests").replaceChildren(empty(reason ?? "No request has been answered yet."));
    const stages = ["parse", "guidance", "diffusion", "search", "encode"];
    byID("requests").replaceChildren(table("Slowest recent requests", ["Request", "Answer", "When", "Time", "Stages"],
        requests.map((request) => {
            const times = request.stages_us ?? {};
            return [
                [element("code", {}, request.id ?? "–")],
                [[request.route, request.status, request.model && `${request.model} v${request.version}`]
                    .filter((part) => part !== undefined && part !== null).join(" · ")],
                [request.at ? element("time", { datetime: request.at }, age(request.at)) : "–"],
                [element("strong", {}, duration((request.duration_us ?? NaN) / 1e6))],
                [stages.filter((stage) => times[stage] > 0)
                    .map((stage) => `${stage} ${duration(times[stage] / 1e6)}`).join(" · ") || "–"],
            ];
        })));
}
