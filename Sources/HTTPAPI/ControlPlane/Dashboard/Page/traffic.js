// Live figures: the difference between two scrapes of /metrics.

import { byID, duration, element, figure, percent, replace } from "/elements.js";

const budget = 0.001;
const kept = 60;
const stages = ["parse", "guidance", "diffusion", "search", "encode"];

/** The samples of a text exposition: name -> [{labels, value}]. */
export function parse(text) {
    const families = new Map();
    for (const line of text.split("\n")) {
        const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
        if (!match) continue;
        const labels = {};
        for (const [, name, value] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
            labels[name] = value.replaceAll(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
        }
        if (!families.has(match[1])) families.set(match[1], []);
        families.get(match[1]).push({ labels, value: Number(match[3].replace("Inf", "Infinity")) });
    }
    return families;
}

/** The sum of the samples of a family whose labels pass. */
export function sum(families, name, passes = () => true) {
    return (families.get(name) ?? []).reduce((total, { labels, value }) => (passes(labels) ? total + value : total), 0);
}

/** A quantile of a histogram, with linear interpolation between its bounds, as PromQL's histogram_quantile. */
export function quantile(buckets, q) {
    const total = buckets.at(-1)?.count ?? 0;
    if (total <= 0) return NaN;
    const rank = q * total;
    let [lower, before] = [0, 0];
    for (const { bound, count } of buckets) {
        if (count >= rank) {
            if (bound === Infinity) return lower;
            return lower + (bound - lower) * ((rank - before) / Math.max(1e-12, count - before));
        }
        [lower, before] = [bound, count];
    }
    return lower;
}

/** The increase of a counter; a counter that fell has restarted. */
const grown = (now, before) => (now >= before ? now - before : now);

function histogram(now, before, name, passes) {
    const buckets = (now.get(`${name}_bucket`) ?? []).filter(({ labels }) => passes(labels));
    return buckets.map(({ labels, value }) => ({
        bound: labels.le === "+Inf" ? Infinity : Number(labels.le),
        count: grown(value, sum(before, `${name}_bucket`, (other) => passes(other) && other.le === labels.le)),
    })).sort((a, b) => a.bound - b.bound);
}

const tiles = [
    { key: "rate", label: "Requests", unit: "/s", format: figure },
    { key: "p50", label: "p50", format: duration },
    { key: "p99", label: "p99", format: duration, limit: budget },
    { key: "p999", label: "p99.9", format: duration },
    { key: "errors", label: "Errors", unit: "/s", format: figure, limit: 0 },
    { key: "shed", label: "Shed", unit: "/s", format: figure, limit: 0 },
];

const series = new Map(tiles.map(({ key }) => [key, []]));
const places = new Map();
let last;

/** Prepares the tiles. */
export function startTraffic() {
    byID("tiles").replaceChildren(...tiles.map(({ key, label }) => {
        const value = element("dd", { id: `tile-${key}` }, "–");
        const line = element("svg", { class: "spark", viewBox: "0 0 120 32", preserveAspectRatio: "none",
            "aria-hidden": "true" });
        places.set(key, { value, line });
        return element("div", { class: "card tile" }, element("dt", {}, label), value, line);
    }));
}

/** Shows the traffic since the last scrape; returns whether a version is in service, and the versions' shares. */
export function showTraffic(text) {
    const now = { families: parse(text), at: performance.now() };
    const before = last;
    last = now;
    showStages(now.families, before?.families);
    const ready = now.families.has("dimerec_model_info");
    if (!before) return { ready, shares: new Map() };
    const seconds = (now.at - before.at) / 1000;
    const change = (name, passes) =>
        grown(sum(now.families, name, passes), sum(before.families, name, passes)) / seconds;
    const served = ({ route }) => route !== "health" && route !== "other";
    const retrievals = ({ route }) => route === "retrieve";
    const buckets = histogram(now.families, before.families, "dimerec_http_request_duration_seconds", retrievals);
    const figures = {
        rate: change("dimerec_http_requests_total", served),
        p50: quantile(buckets, 0.5),
        p99: quantile(buckets, 0.99),
        p999: quantile(buckets, 0.999),
        errors: change("dimerec_http_requests_total", ({ code }) => code >= 500 && code !== "503"),
        shed: change("dimerec_shed_total"),
    };
    for (const tile of tiles) show(tile, figures[tile.key]);
    const refused = change("dimerec_http_requests_total", ({ route, code }) => served({ route }) && code >= 400 && code < 500);
    byID("traffic-note").textContent =
        `over the last ${figure(seconds)} s; latency of /retrieve in the server` +
        (refused > 0 ? `; ${figure(refused)} requests a second were the caller's mistake` : "");
    return { ready, shares: shares(now.families, before.families) };
}

function show({ key, unit, format, limit }, value) {
    const { value: place, line } = places.get(key);
    place.replaceChildren(format(value), unit ? element("small", {}, ` ${unit}`) : "");
    place.classList.toggle("over", value > limit);
    const values = series.get(key);
    values.push(value);
    if (values.length > kept) values.shift();
    drawSparkline(line, values);
}

function drawSparkline(line, values) {
    const highest = Math.max(1e-9, ...values.filter(Number.isFinite));
    const points = values.map((value, i) => [120 - (values.length - 1 - i) * (120 / (kept - 1)),
        30 - (Number.isFinite(value) ? value / highest : 0) * 28]);
    const path = points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
    line.replaceChildren(
        element("path", { class: "area", d: `M${points[0][0].toFixed(1)} 32L${path}L120 32Z` }),
        element("path", { class: "line", d: `M${path}` }));
}

/** Each version's share of the retrievals between two scrapes, if the server counts by version. */
function shares(now, before) {
    const name = "dimerec_version_requests_total";
    const found = new Map();
    let total = 0;
    for (const { labels } of now.get(name) ?? []) {
        const key = `${labels.model} ${labels.version}`;
        if (found.has(key)) continue;
        const same = ({ model, version }) => model === labels.model && version === labels.version;
        const requests = grown(sum(now, name, same), sum(before, name, same));
        found.set(key, requests);
        total += requests;
    }
    return total > 0 ? new Map([...found].map(([key, requests]) => [key, requests / total])) : new Map();
}

/** The mean time of each stage, since the last scrape; if there was no request, since the start. */
function showStages(now, before) {
    const name = "dimerec_stage_duration_seconds";
    const means = (from) => stages.map((stage) => {
        const passes = (labels) => labels.stage === stage;
        const difference = (part) => from
            ? grown(sum(now, name + part, passes), sum(from, name + part, passes)) : sum(now, name + part, passes);
        return difference("_sum") / difference("_count");
    });
    let times = before ? means(before) : [];
    const isRecent = times.some(Number.isFinite);
    if (!isRecent) times = means();
    const total = times.filter(Number.isFinite).reduce((a, b) => a + b, 0);
    if (total === 0) {
        byID("budget-note").textContent = "No request has been answered yet.";
        return;
    }
    byID("budget-note").textContent = `${duration(total)} in the mean, ${percent(total / budget)} of the budget; ` +
        (isRecent ? "requests of the last seconds" : "all requests since the start");
    const scale = Math.max(budget, total);
    let start = 0;
    const bars = times.map((time, i) => {
        const width = (Number.isFinite(time) ? time : 0) / scale * 1000;
        start += width;
        return element("rect", { class: `fill${i}`, x: (start - width).toFixed(2), y: 0, width: width.toFixed(2), height: 20 });
    });
    byID("budget-bar").replaceChildren(element("svg", { class: "stack", viewBox: "0 0 1000 20", role: "img",
        preserveAspectRatio: "none", "aria-label": `${duration(total)} of 1 ms` },
        element("rect", { class: "track", x: 0, y: 0, width: 1000, height: 20 }), bars,
        [250, 500, 750, 1000].map((x) => x * budget / scale).map((x) =>
            element("line", { class: "tick", x1: x, x2: x, y1: 0, y2: 20 }))));
    const longest = Math.max(...times.filter(Number.isFinite));
    replace(byID("stages"), stages.map((stage, i) => {
        const time = times[i];
        const width = Number.isFinite(time) ? Math.max(0.5, time / longest * 100) : 0;
        return element("li", {},
            element("span", { class: "name" }, stage),
            element("svg", { class: "meter", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
                element("rect", { class: `fill${i}`, x: 0, y: 0, width, height: 8 })),
            element("span", { class: "number" }, duration(time)));
    }));
}
