import Kernels
import Serving

extension InterestMap {
    /// The answer of `GET /debug/map`.
    func json(_ snapshot: ServingSnapshot) -> [UInt8] {
        var writer = JSONWriter()
        writer.raw("{\"model\":")
        writer.string(snapshot.model)
        writer.raw(",\"version\":")
        writer.integer(snapshot.version)
        writer.raw(",\"items\":")
        writer.integer(snapshot.itemCount)
        writer.raw(",\"steps\":")
        writer.integer(snapshot.encoder.maxSteps)
        writer.raw(",\"explained\":")
        writer.list(explained) { $0.float(Float($1)) }
        writer.raw(",\"points\":")
        writer.list(Array(zip(items, points))) { writer, drawn in
            let (item, point) = drawn
            writer.raw("{")
            writer.names(of: item, in: snapshot)
            writer.place(point)
            writer.raw("}")
        }
        writer.raw("}")
        return writer.bytes
    }
}

extension RetrievalTrace {
    /// The answer of `POST /debug/query`, with every vector as a point of a map.
    func json(_ map: InterestMap) -> [UInt8] {
        let snapshot = response.snapshot
        var writer = JSONWriter()
        writer.raw("{\"model\":")
        writer.string(snapshot.model)
        writer.raw(",\"version\":")
        writer.integer(snapshot.version)
        // A string, because programs that read JSON numbers as Doubles would round it.
        writer.raw(",\"seed\":")
        writer.string("\(response.seed)")
        writer.raw(",\"steps\":")
        writer.integer(user == nil ? 0 : response.steps)
        writer.raw(",\"fallback\":")
        if let fallback = response.fallback { writer.string(fallback.rawValue) } else { writer.raw("null") }
        writer.raw(",\"unknown_ids\":")
        writer.integer(response.unknownIDs)
        writer.raw(",\"truncated\":")
        writer.boolean(response.truncated)
        writer.raw(",\"microseconds\":{\"guidance\":")
        writer.microseconds(nanoseconds: response.times.guidance)
        writer.raw(",\"diffusion\":")
        writer.microseconds(nanoseconds: response.times.diffusion)
        writer.raw(",\"search\":")
        writer.microseconds(nanoseconds: response.times.search)
        writer.raw("}")
        if let fused = response.fused { writer.sources(fused) }
        writer.raw(",\"items\":")
        writer.list(Array(response.items.enumerated())) { writer, answer in
            let (position, item) = answer
            writer.raw("{")
            writer.names(of: item.id, in: snapshot)
            writer.place(map.point(snapshot.vector(of: item.id)))
            writer.raw(",\"score\":")
            writer.float(item.score)
            if position < closest.count {
                writer.raw(",\"interest\":")
                writer.integer(closest[position].interest)
                writer.raw(",\"cosine\":")
                writer.float(closest[position].cosine)
            }
            if position < countScores.count {
                writer.raw(",\"count_score\":")
                writer.float(countScores[position])
            }
            if let fused = response.fused {
                writer.raw(",\"sources\":")
                writer.sources(ofItem: position, in: fused)
            }
            if position < response.reasons.count {
                writer.raw(",")
                writer.reason(response.reasons[position])
            }
            writer.raw("}")
        }
        writer.raw(",\"history\":")
        writer.list(history) { writer, item in
            writer.raw("{")
            writer.names(of: item, in: snapshot)
            writer.place(map.point(snapshot.vector(of: item)))
            writer.raw("}")
        }
        writeInterests(map, to: &writer)
        writePath(map, to: &writer)
        writer.raw("}")
        return writer.bytes
    }

    private func writeInterests(_ map: InterestMap, to writer: inout JSONWriter) {
        writer.raw(",\"interests\":")
        writer.list(Array(nearest.enumerated())) { writer, interest in
            let (row, nearest) = interest
            let vector = user.map { $0.interests.row(row) } ?? []
            writer.raw("{\"norm\":")
            writer.float(length(vector))
            writer.place(map.point(vector))
            if row < slots.count {
                writer.raw(",\"slot\":{\"rule\":")
                writer.string(slots[row].rule.rawValue)
                writer.raw(",\"item\":")
                if let item = slots[row].item {
                    writer.raw("{")
                    writer.names(of: item, in: response.snapshot)
                    writer.raw("}")
                } else {
                    writer.raw("null")
                }
                writer.raw("}")
            }
            writer.raw(",\"nearest\":")
            writer.list(nearest) { writer, item in
                writer.raw("{")
                writer.names(of: item.id, in: response.snapshot)
                writer.raw(",\"score\":")
                writer.float(item.score)
                writer.raw("}")
            }
            writer.raw("}")
        }
    }

    /// Writes each point of the path, with its norm and its cosine to the end.
    private func writePath(_ map: InterestMap, to writer: inout JSONWriter) {
        writer.raw(",\"path\":")
        guard let path = user?.path else { return writer.raw("[]") }
        let end = path.row(path.rows - 1)
        writer.list(Array(0..<path.rows)) { writer, row in
            let vector = path.row(row)
            let lengths = length(vector) * length(end)
            writer.raw("{\"norm\":")
            writer.float(length(vector))
            writer.place(map.point(vector))
            writer.raw(",\"cosine\":")
            writer.float(lengths > 0 ? dot(vector.span, end.span) / lengths : 0)
            writer.raw("}")
        }
    }

    private func length(_ vector: [Float]) -> Float { dot(vector.span, vector.span).squareRoot() }
}

extension JSONWriter {
    /// Appends an array.
    fileprivate mutating func list<Element>(_ elements: [Element], _ write: (inout JSONWriter, Element) -> Void) {
        raw("[")
        for (position, element) in elements.enumerated() {
            if position > 0 { raw(",") }
            write(&self, element)
        }
        raw("]")
    }

    /// Appends the members that describe an item; the title may be null.
    fileprivate mutating func names(of item: Int32, in snapshot: ServingSnapshot) {
        raw("\"id\":")
        string(snapshot.identifiers.utf8(item))
        raw(",\"title\":")
        if let title = snapshot.title(of: item) { string(title) } else { raw("null") }
        raw(",\"categories\":")
        list(snapshot.categories.names(of: item)) { $0.string($1) }
    }

    /// Appends the members of a point of the map, with a comma before each.
    fileprivate mutating func place(_ point: InterestMap.Point) {
        raw(",\"x\":")
        float(point.x)
        raw(",\"y\":")
        float(point.y)
    }
}
