// The map of the item vectors: dots for items, and the history, interests, walk and answers of one retrieval.

import { byID, element, replace } from "/elements.js";

const margin = 28;
const reach = 18;
const map = { of: undefined, points: [], trace: undefined, marked: "", extent: "all", selected: undefined };
const listeners = { pick: () => {} };
let place;
let tip;
let shown = [];
let scale;

/** Prepares the map; calls `pick` with an item that the user clicks or enters. */
export function startMap(pick) {
    listeners.pick = pick;
    place = byID("map");
    new ResizeObserver(draw).observe(place);
    place.addEventListener("pointermove", (event) => {
        const box = place.getBoundingClientRect();
        select(nearest(event.clientX - box.left, event.clientY - box.top), false);
    });
    place.addEventListener("pointerleave", () => select(undefined, false));
    place.addEventListener("click", (event) => {
        const box = place.getBoundingClientRect();
        const mark = nearest(event.clientX - box.left, event.clientY - box.top);
        if (mark?.item) listeners.pick(mark.item);
    });
    place.addEventListener("keydown", key);
    place.addEventListener("blur", () => select(undefined, false));
    byID("category").addEventListener("change", (event) => {
        map.marked = event.target.value;
        draw();
    });
    for (const choice of byID("extent").elements) {
        if (choice.type === "radio") choice.addEventListener("change", () => extend(choice.value));
    }
}

/** Shows the answer of GET /debug/map. */
export function showMap({ model, version, points, items, explained }) {
    map.points = points;
    map.of = `${model} ${version}`;
    const share = (explained[0] + explained[1]) * 100;
    byID("map-note").textContent = `${points.length.toLocaleString("en")} of ${items.toLocaleString("en")} items, the most ` +
        `popular ones; the two axes hold ${share.toFixed(1)} % of the item vectors' variance.`;
    const names = [...new Set(points.flatMap(({ categories }) => categories))].sort();
    byID("category").replaceChildren(element("option", { value: "" }, "no category"),
        ...names.map((name) => element("option", { value: name }, name)));
    map.marked = names.includes(map.marked) ? map.marked : "";
    byID("category").value = map.marked;
    draw();
}

/** Shows why there is no map. */
export function explainNoMap(reason) {
    map.points = [];
    map.of = undefined;
    place.replaceChildren(element("p", { id: "map-empty", class: "empty" }, reason));
    byID("map-note").textContent = "";
}

/** Whether the map belongs to the version that answered; every version has its own map. */
export const fits = ({ model, version }) => map.of === `${model} ${version}`;

/** Draws a retrieval on the map; undefined removes it. */
export function showTrace(trace) {
    map.trace = trace;
    const [all, answer] = [...byID("extent").elements].filter(({ type }) => type === "radio");
    answer.disabled = !trace?.path.length;
    if (answer.disabled && answer.checked) {
        all.checked = true;
        map.extent = "all";
    }
    draw();
}

/** Highlights the item of an id; undefined highlights none. */
export function point(id) {
    select(id === undefined ? undefined : shown.findLast(({ item }) => item?.id === id), false);
}

function extend(extent) {
    map.extent = extent;
    draw();
}

/** The marks of the retrieval, from bottom to top. */
function marks({ history, interests, path, items }) {
    return [
        ...path.map((at, i) => ({
            ...at, kind: i === path.length - 1 ? "user" : i === 0 ? "start" : "step",
            title: i === path.length - 1 ? "The generated user vector, x₀"
                : i === 0 ? `The start from noise, x${subscript(path.length - 1)}` : `The walk at x${subscript(path.length - 1 - i)}`,
            note: `cosine to the end ${at.cosine.toFixed(3)}`,
        })),
        ...history.map((item, i) => ({ ...item, item, kind: "history", note: `in the history, number ${i + 1}` })),
        ...items.map((item, i) => ({
            ...item, item, kind: "answer", interest: item.interest, number: i + 1,
            note: `answer ${i + 1}, score ${item.score.toFixed(3)}` +
                (item.interest === undefined ? "" : `, nearest to interest ${item.interest + 1}`),
        })).reverse(),
        ...interests.map((at, i) => ({
            ...at, kind: "interest", interest: i, number: i + 1, title: `Interest ${i + 1}`,
            note: `near ${at.nearest.map(titleOf).join("; ")}`,
        })),
    ];
}

export const titleOf = ({ title, id }) => title ?? id;

const subscript = (number) => [...String(number)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]).join("");

function draw() {
    if (map.points.length === 0 || place.clientWidth === 0) return;
    const [width, height] = [place.clientWidth, place.clientHeight];
    const trace = map.trace ? marks(map.trace) : [];
    const framed = map.extent === "answer" && trace.length > 0
        ? trace.filter(({ kind }) => kind !== "step" && kind !== "start") : [...map.points, ...trace];
    scale = fit(framed, width, height);
    const items = map.points.map((item) => ({ ...item, item, kind: "item", note: item.categories.join(", ") }));
    shown = [...items, ...trace].map((mark) => ({ ...mark, at: [scale.x(mark.x), scale.y(mark.y)] }))
        .filter(({ at: [x, y] }) => x >= 0 && y >= 0 && x <= width && y <= height);
    const dots = (some) => some.map(({ x, y }) => `M${scale.x(x).toFixed(1)} ${scale.y(y).toFixed(1)}h0`).join("");
    const isMarked = ({ categories }) => map.marked !== "" && categories.includes(map.marked);
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
        element("path", { class: "dots", d: dots(map.points.filter((item) => !isMarked(item))) }),
        element("path", { class: "dots marked", d: dots(map.points.filter(isMarked)) }),
        walk(map.trace?.path ?? []),
        shown.filter(({ kind }) => kind !== "item").map(shape),
        element("circle", { class: "ring", r: 11, cx: -50, cy: -50 }));
    tip = element("div", { class: "tip", hidden: true });
    place.replaceChildren(svg, tip);
    showLegend(map.trace);
    map.selected = undefined;
}

/** A scale with equal units on both axes that shows all of `framed`. */
function fit(framed, width, height) {
    const range = (axis) => framed.reduce(([low, high], { [axis]: v }) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
    const [[left, right], [bottom, top]] = [range("x"), range("y")];
    const unit = Math.min((width - 2 * margin) / Math.max(1e-6, right - left), (height - 2 * margin) / Math.max(1e-6, top - bottom));
    return {
        x: (x) => width / 2 + (x - (left + right) / 2) * unit,
        y: (y) => height / 2 - (y - (bottom + top) / 2) * unit,
    };
}

/** The walk as a line that becomes stronger towards its end. */
function walk(path) {
    return path.slice(1).map((to, i) => element("line", {
        class: "walk", x1: scale.x(path[i].x), y1: scale.y(path[i].y), x2: scale.x(to.x), y2: scale.y(to.y),
        "stroke-opacity": (0.2 + 0.8 * ((i + 1) / (path.length - 1)) ** 2).toFixed(2),
    }));
}

function shape({ kind, at: [x, y], interest, number }) {
    const colour = interest === undefined ? "" : ` fill${interest % 8}`;
    switch (kind) {
    case "history": return element("rect", { class: "history", x: x - 5, y: y - 5, width: 10, height: 10 });
    case "answer": return element("circle", { class: `answer${colour}`, cx: x, cy: y, r: 6 });
    case "interest": return element("g", { class: "interest" },
        element("path", { class: colour.trim(), d: `M${x} ${y - 11}l11 11l-11 11l-11 -11z` }),
        element("text", { x, y: y + 4 }, String(number)));
    case "start": return element("circle", { class: "start", cx: x, cy: y, r: 5 });
    case "user": return element("path", { class: "user", d: star(x, y, 11) });
    default: return element("circle", { class: "step", cx: x, cy: y, r: 2.2 });
    }
}

function star(x, y, radius) {
    const corners = Array.from({ length: 10 }, (_, i) => {
        const [r, angle] = [i % 2 ? radius * 0.45 : radius, (i * Math.PI) / 5];
        return `${(x + r * Math.sin(angle)).toFixed(1)} ${(y - r * Math.cos(angle)).toFixed(1)}`;
    });
    return `M${corners.join("L")}Z`;
}

function showLegend(trace) {
    const kinds = !trace?.path.length ? (trace ? [["answer", "answer"]] : []) : [
        ["history", "history"], ["interest", "interest"], ["answer", "answer, in its interest's colour"],
        ["start", "start of the walk"], ["user", "user vector"],
    ];
    const sample = (kind) => element("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" },
        shape({ kind, at: [12, 12], interest: kind === "interest" || kind === "answer" ? 0 : undefined, number: 1 }));
    replace(byID("legend"), kinds.map(([kind, name]) => element("li", {}, sample(kind), name)));
}

function nearest(x, y) {
    let best;
    let least = reach * reach;
    for (const mark of shown) {
        const weight = mark.kind === "item" ? 1 : mark.kind === "step" ? 0.8 : 0.4;
        const distance = weight * ((mark.at[0] - x) ** 2 + (mark.at[1] - y) ** 2);
        if (distance < least) [best, least] = [mark, distance];
    }
    return best;
}

function select(mark, isSpoken) {
    map.selected = mark;
    if (!tip) return;
    tip.hidden = !mark;
    const ring = place.querySelector(".ring");
    const [x, y] = mark?.at ?? [-50, -50];
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    if (!mark) return;
    tip.replaceChildren(element("strong", {}, titleOf(mark)), element("span", {}, mark.note ?? ""));
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    tip.style.left = `${Math.max(4, Math.min(place.clientWidth - width - 4, x - width / 2))}px`;
    tip.style.top = `${y - height - 16 >= 4 ? y - height - 16 : y + 18}px`;
    if (isSpoken) byID("map-live").textContent = `${titleOf(mark)}, ${mark.note ?? ""}`;
}

const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Arrow keys move to the nearest mark in their direction. */
function key(event) {
    if (event.key === "Escape") return select(undefined, false);
    if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        if (map.selected?.item) listeners.pick(map.selected.item);
        return undefined;
    }
    const direction = directions[event.key];
    if (!direction || shown.length === 0) return undefined;
    event.preventDefault();
    const from = map.selected?.at ?? [place.clientWidth / 2, place.clientHeight / 2];
    let best;
    let least = Infinity;
    for (const mark of shown) {
        if (mark.kind === "step") continue;
        const [dx, dy] = [mark.at[0] - from[0], mark.at[1] - from[1]];
        const along = dx * direction[0] + dy * direction[1];
        const across = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
        if (along < 1.5 || across > 2 * along) continue;
        const distance = along + 2 * across;
        if (distance < least) [best, least] = [mark, distance];
    }
    if (best) select(best, true);
    return undefined;
}
