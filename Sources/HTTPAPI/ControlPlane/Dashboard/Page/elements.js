// Builds elements and formats numbers. Text always becomes text nodes, because titles and ids are untrusted input.

const drawing = "http://www.w3.org/2000/svg";
const drawn = new Set(["svg", "g", "path", "line", "circle", "rect", "text", "polyline", "polygon"]);

export const byID = (id) => document.getElementById(id);

/** An element with attributes, listeners (functions, by the event's name) and children (elements or text). */
export function element(tag, attributes = {}, ...children) {
    const made = drawn.has(tag) ? document.createElementNS(drawing, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === undefined || value === null || value === false) continue;
        if (typeof value === "function") made.addEventListener(name, value);
        else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== undefined && child !== null));
    return made;
}

/** Replaces the children of a place and restores the focus to the element with the same key. */
export function replace(place, ...children) {
    const key = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    place.replaceChildren(...children.flat());
    if (key) place.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** A table that narrow windows show as a list; each cell carries its column's name for this. */
export function table(label, columns, rows) {
    const head = columns.map((name) => element("th", { scope: "col", role: "columnheader" }, name));
    return element("table", { role: "table", "aria-label": label },
        element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, head)),
        element("tbody", { role: "rowgroup" }, rows.map((cells) => element("tr", { role: "row" },
            cells.map((cell, i) => element("td", { role: "cell", "data-label": columns[i] }, element("div", {}, cell)))))));
}

export const empty = (text) => element("p", { class: "empty" }, text);

export const count = (value) => value.toLocaleString("en");

/** A rate or a time with three significant digits. */
export function figure(value) {
    if (!Number.isFinite(value)) return "–";
    if (value === 0) return "0";
    const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
    return value.toLocaleString("en", { minimumFractionDigits: 0, maximumFractionDigits: Math.min(digits, 3) });
}

/** A time, given in seconds, in a suitable unit. */
export function duration(seconds) {
    if (!Number.isFinite(seconds)) return "–";
    if (seconds < 0.001) return `${figure(seconds * 1e6)} µs`;
    return seconds < 1 ? `${figure(seconds * 1e3)} ms` : `${figure(seconds)} s`;
}

export const percent = (share) => (Number.isFinite(share) ? `${figure(share * 100)} %` : "–");

/** How long ago a time was, in words. */
export function age(date) {
    const seconds = (Date.now() - new Date(date).getTime()) / 1000;
    if (!Number.isFinite(seconds)) return "at an unknown time";
    for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
        const whole = Math.floor(seconds / length);
        if (whole >= 1) return `${whole} ${unit}${whole > 1 ? "s" : ""} ago`;
    }
    return "just now";
}
