// The retrieval form, and its answer with the interests.

import { byID, duration, element, empty } from "/elements.js";
import { fits, point, showMap, showTrace, titleOf } from "/map.js";
import { getJSON, post, Refusal } from "/server.js";

const fields = ["history", "k", "steps", "seed", "diversity", "filter", "rules", "sources", "fusion", "guidance"];
const titles = new Map();
const ids = new Map();
let model;
let popular = [];
let isAnswered = false;
let asked = 0;

/** Prepares the form. The address may preset its fields, as in `#history=1,2&k=5`. */
export function startQuery() {
    byID("query").addEventListener("submit", (event) => {
        event.preventDefault();
        ask();
    });
    byID("history").addEventListener("input", showChips);
    byID("pick").addEventListener("change", (event) => {
        const id = ids.get(event.target.value);
        if (id === undefined) return;
        event.target.value = "";
        add(id);
    });
    byID("reseed").addEventListener("click", () => {
        byID("seed").value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
        ask();
    });
    byID("clear").addEventListener("click", () => {
        byID("query").reset();
        showChips();
        showTrace(undefined);
        isAnswered = false;
        byID("answers").replaceChildren();
        byID("interests").replaceChildren();
        history.replaceState(null, "", location.pathname);
    });
    byID("example").addEventListener("click", () => {
        const few = [7, 1, 12, 30].map((place) => popular[place % Math.max(1, popular.length)]).filter(Boolean);
        setHistory([...new Set(few.map(({ id }) => id))]);
        ask();
    });
    const given = new URLSearchParams(location.hash.slice(1));
    for (const field of fields) if (given.has(field)) byID(field).value = given.get(field);
    showChips();
    return given.has("history");
}

/** Stores the titles of the map's items. */
export function nameItems(map) {
    model = map.model;
    popular = map.points;
    byID("steps").max = map.steps;
    byID("steps").placeholder = `all ${map.steps}`;
    ids.clear();
    for (const item of map.points) {
        titles.set(item.id, titleOf(item));
        if (item.title) ids.set(item.title, item.id);
    }
    byID("titles").replaceChildren(...[...ids.keys()].map((title) => element("option", { value: title })));
    showChips();
}

/** Repeats the query after a version change, if the page shows an answer of the old version. */
export function askAgain() {
    if (isAnswered) ask();
}

/** Adds an item to the end of the history. */
export function add(id) {
    setHistory([...historyIDs(), id]);
}

const historyIDs = () => byID("history").value.split(",").map((id) => id.trim()).filter((id) => id !== "");

function setHistory(list) {
    byID("history").value = list.join(", ");
    showChips();
}

function showChips() {
    const list = historyIDs();
    byID("chips").replaceChildren(...list.map((id, i) => {
        const title = titles.get(id) ?? id;
        return element("li", {}, element("span", {}, title), element("button", {
            type: "button", "aria-label": `Take ${title} out of the history`,
            click: () => {
                setHistory(list.filter((_, other) => other !== i));
                (byID("chips").querySelectorAll("button")[Math.max(0, i - 1)] ?? byID("history")).focus();
            },
        }, "×"));
    }));
}

/** The JSON object of a field; undefined if the field is empty. */
function object(field) {
    const text = byID(field).value.trim();
    if (text === "") return undefined;
    try {
        return JSON.parse(text);
    } catch (error) {
        throw new Error(`The field '${field}' is not JSON: ${error.message}`);
    }
}

/** The request's JSON. The seed stays as typed, because it may have more digits than a JavaScript number. */
function body() {
    const request = { history: historyIDs(), k: Number(byID("k").value) };
    if (byID("steps").value !== "") request.steps = Number(byID("steps").value);
    if (Number(byID("diversity").value) !== 0) request.diversity = Number(byID("diversity").value);
    if (model !== undefined) request.model = model;
    for (const field of ["filter", "sources", "fusion", "guidance"]) {
        const value = object(field);
        if (value !== undefined) request[field] = value;
    }
    if (request.sources !== undefined) delete request.model;
    // Fields that both hold are the rules'.
    Object.assign(request, object("rules"));
    const text = JSON.stringify(request);
    const seed = byID("seed").value.trim();
    return seed === "" ? text : `${text.slice(0, -1)},"seed":${/^\d+$/.test(seed) ? seed : JSON.stringify(seed)}}`;
}

/** Sends the query and shows its answer. */
export async function ask() {
    const problem = byID("query-error");
    problem.hidden = true;
    if (!byID("query").reportValidity()) return;
    const given = fields.filter((field) => byID(field).value !== "" && byID(field).value !== byID(field).defaultValue)
        .map((field) => [field, field === "history" ? historyIDs().join(",") : byID(field).value]);
    const fragment = given.map(([field, value]) => `${field}=${encodeURIComponent(value).replaceAll("%2C", ",")}`).join("&");
    history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname);
    byID("answers").setAttribute("aria-busy", "true");
    asked += 1;
    const number = asked;
    try {
        const trace = await post("/debug/query", body());
        // Show only the newest query, in whatever order the answers arrive.
        if (number !== asked) return;
        for (const item of [...trace.history, ...trace.items]) titles.set(item.id, titleOf(item));
        showChips();
        if (!fits(trace)) {
            const { model: name, version } = trace;
            showMap(await getJSON(`/debug/map?model=${encodeURIComponent(name)}&version=${version}`));
        }
        showTrace(trace);
        showAnswer(trace);
        isAnswered = true;
    } catch (error) {
        problem.textContent = error.message;
        problem.hidden = false;
        if (error instanceof Refusal && error.status === 401) byID("token").focus();
    }
    byID("answers").removeAttribute("aria-busy");
}

const badge = (interest) => element("svg", { class: "badge", viewBox: "0 0 24 24", "aria-hidden": "true" },
    element("g", { class: "interest" },
        element("path", { class: `fill${interest % 8}`, d: "M12 1l11 11l-11 11l-11 -11z" }),
        element("text", { x: 12, y: 16 }, String(interest + 1))));

function showAnswer(trace) {
    const { microseconds: times, items, interests, fallback } = trace;
    const facts = [
        ...(trace.sources?.map(sourceText) ?? [`${trace.model} v${trace.version}`]),
        trace.steps > 0 ? `${trace.steps} steps` : null, trace.steps > 0 ? `seed ${trace.seed}` : null,
        ...["guidance", "diffusion", "search"].filter((stage) => times[stage] > 0)
            .map((stage) => `${stage} ${duration(times[stage] / 1e6)}`),
        trace.unknown_ids > 0 ? `${trace.unknown_ids} unknown id${trace.unknown_ids > 1 ? "s" : ""} ignored` : null,
        trace.truncated ? "fewer items than asked for" : null,
    ].filter((fact) => fact !== null);
    const highest = Math.max(1e-6, ...items.map(({ score }) => score));
    byID("answers").replaceChildren(element("div", { class: "card answers" },
        element("h3", {}, fallback ? "Popular items: the history has no known item" : "Answers"),
        element("p", { class: "quiet", role: "status" }, facts.join(" · ")),
        items.length === 0 ? empty("No item matches.")
            : element("ol", {}, items.map((item) => answerRow(item, highest, interests)))));
    byID("interests").replaceChildren(interests.length === 0 ? "" : element("div", { class: "card interests" },
        element("h3", {}, "Interests behind the answers"),
        element("p", { class: "quiet" }, "Each interest with its nearest items. An answer counts for its nearest interest."),
        element("ul", {}, interests.map((interest, i) => interestRow(interest, i, items))),
        walkChart(trace.path)));
}

/** A source with the version that answered, and how it took part unless it gave its items. */
function sourceText({ source, version, status }) {
    const name = version === null || source === "popular" ? source : `${source} v${version}`;
    const notes = { fallback: "knows no item of the history", not_ready: "is not ready", failed: "failed" };
    return status === "ok" ? name : `${name} ${notes[status]}`;
}

function answerRow(item, highest, interests) {
    const title = titleOf(item);
    const show = { pointerenter: () => point(item.id), pointerleave: () => point(undefined) };
    return element("li", show,
        item.interest === undefined ? "" : element("span", { class: "of" }, badge(item.interest),
            element("span", { class: "hidden" }, `Interest ${item.interest + 1}, cosine ${item.cosine.toFixed(2)}: `)),
        element("span", { class: "what" },
            element("span", { class: "title" }, title),
            element("span", { class: "quiet" },
                [...item.categories, ...sourceTexts(item), ...countText(item), ...slotText(interests[item.interest]),
                    ...reasonText(item)].join(", "))),
        element("span", { class: "score" }, item.score.toFixed(3),
            element("svg", { class: "meter", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
                element("rect", { class: "bar", x: 0, y: 0, width: Math.max(0, item.score / highest * 100), height: 4 }))),
        element("button", {
            type: "button", class: "plain", "aria-label": `Add ${title} to the history`,
            focus: show.pointerenter, blur: show.pointerleave, click: () => add(item.id),
        }, "+"));
}

/** The sources that gave the item, with its places in their lists; nothing without several sources. */
function sourceTexts(item) {
    return (item.sources ?? []).map(({ source, rank }) => `${source} #${rank}`);
}

const slotNames = { exploring: "exploration", popular: "popular items", history_popular: "popular items of the history",
    newest: "newest items" };

/** The slot of rule-based guidance whose interest is nearest to the item; nothing for other guidance. */
function slotText(interest) {
    return interest?.slot === undefined ? [] : [`nearest to the slot for ${slotNames[interest.slot.rule]}`];
}

/** What counts add to the item's score; nothing if the version has none, or they add nothing. */
function countText(item) {
    return item.count_score ? [`counts ${item.count_score > 0 ? "+" : ""}${item.count_score.toFixed(3)}`] : [];
}

/** Why rules put the item at its position; nothing without rules. */
function reasonText(item) {
    if (item.reason === undefined) return [];
    const reasons = { score: [], pin: ["pinned"], new: ["for the share of new items"], share: [`for the share of ${item.share_of}`] };
    const boosted = item.boosts.length > 0 ? [`${item.base_score.toFixed(3)} before boosts`] : [];
    return [...reasons[item.reason], ...boosted];
}

function interestRow(interest, i, items) {
    const answers = items.filter((item) => item.interest === i).length;
    return element("li", {}, badge(i), element("span", { class: "what" },
        element("span", { class: "title" }, interest.nearest.map(titleOf).join(" · ") || "nothing"),
        element("span", { class: "quiet" }, [...slotItem(interest), `${answers} answer${answers === 1 ? "" : "s"}`].join(", "))));
}

/** The slot behind an interest and its item; nothing for other guidance. */
function slotItem(interest) {
    if (interest.slot === undefined) return [];
    const { rule, item } = interest.slot;
    return [`slot for ${slotNames[rule]}: ${item === null ? "empty" : titleOf(item)}`];
}

/** The cosine of each vector of the walk to its end: one bar a step, upwards if positive. */
function walkChart(path) {
    const [width, zero, high] = [100 / path.length, 34, 32];
    const last = path.length - 1;
    const bars = path.map(({ cosine }, i) => element("rect", {
        class: i === last ? "bar end" : "bar", x: (i * width + width * 0.12).toFixed(2), width: (width * 0.76).toFixed(2),
        y: (zero - Math.max(0, cosine) * high).toFixed(2), height: Math.max(0.4, Math.abs(cosine) * high).toFixed(2),
    }));
    const [first, middle] = [path[0], path[Math.floor(last / 2)]].map(({ cosine }) => cosine.toFixed(2));
    return element("figure", { class: "walk-chart" },
        element("figcaption", {}, "Cosine to the user vector along the reverse walk"),
        element("svg", { viewBox: "0 0 100 46", preserveAspectRatio: "none", role: "img",
            "aria-label": `${first} at the start, ${middle} in the middle, 1 at the end` }, bars,
        element("line", { class: "axis", x1: 0, x2: 100, y1: zero, y2: zero })),
        element("p", { class: "quiet ends" }, element("span", {}, `noise, step ${last}`), element("span", {}, "user vector")));
}
