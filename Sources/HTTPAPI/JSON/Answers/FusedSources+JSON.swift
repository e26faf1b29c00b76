import Kernels
import Serving

extension JSONWriter {
    /// Appends a list of items with their scores and the sources that gave them.
    mutating func items(
        _ items: [Scored],
        from fused: FusedSources,
        named identifiers: IdentifierTable,
        asIntegers: Bool
    ) {
        raw("[")
        for (position, item) in items.enumerated() {
            raw(position == 0 ? "{\"id\":" : ",{\"id\":")
            if identifiers.needsEscaping(item.id) {
                string(identifiers.utf8(item.id))
            } else {
                raw(capacity: identifiers.jsonCount(item.id)) { text in
                    identifiers.appendJSON(item.id, asInteger: asIntegers, to: &text)
                }
            }
            raw(",\"score\":")
            float(item.score)
            raw(",\"sources\":")
            sources(ofItem: position, in: fused)
            raw("}")
        }
        raw("]")
    }

    /// Appends the list of the sources that gave an item of the answer, with its ranks.
    mutating func sources(ofItem position: Int, in fused: FusedSources) {
        raw("[")
        var isFirst = true
        for source in fused.sources.indices {
            guard let rank = fused.rank(ofItem: position, in: source) else { continue }
            raw(isFirst ? "{\"source\":" : ",{\"source\":")
            isFirst = false
            string(fused.sources[source].name)
            raw(",\"rank\":")
            integer(rank)
            raw("}")
        }
        raw("]")
    }

    /// Appends the member `sources` of an answer, with a comma before it.
    mutating func sources(_ fused: FusedSources) {
        raw(",\"sources\":[")
        for (position, source) in fused.sources.enumerated() {
            raw(position == 0 ? "{\"source\":" : ",{\"source\":")
            string(source.name)
            raw(",\"model\":")
            if let version = source.version {
                string(version.model)
                raw(",\"version\":")
                integer(version.version)
            } else {
                raw("null,\"version\":null")
            }
            raw(",\"status\":")
            string(source.status.rawValue)
            raw("}")
        }
        raw("]")
    }
}
