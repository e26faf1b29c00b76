import Dispatch
import Kernels
package import Serving

extension RetrievalResponse {
    /// Writes the body of a `/retrieve` answer.
    ///
    /// - Parameters:
    ///   - writer: Where to.
    ///   - request: What was asked.
    ///   - requestID: The request's id.
    package mutating func write(
        to writer: inout JSONWriter,
        request: borrowing RetrievalRequest,
        requestID: [UInt8]
    ) {
        let start = DispatchTime.now().uptimeNanoseconds
        writer.raw("{\"items\":[")
        writeItems(to: &writer, asIntegers: request.answersIntegers)
        writer.raw("],\"model\":")
        writer.string(snapshot.model)
        writer.raw(",\"version\":")
        writer.integer(snapshot.version)
        writer.raw(",\"request_id\":")
        writer.string(requestID)
        writer.raw(",\"fallback\":")
        if let fallback { writer.string(fallback.rawValue) } else { writer.raw("null") }
        writer.raw(",\"unknown_ids\":")
        writer.integer(unknownIDs)
        writer.raw(",\"truncated\":")
        writer.boolean(truncated)
        times.encode = DispatchTime.now().uptimeNanoseconds - start
        if request.explain { writeExplanation(to: &writer, exact: request.exact) }
        writer.raw("}")
    }

    private func writeItems(to writer: inout JSONWriter, asIntegers: Bool) {
        let identifiers = snapshot.identifiers
        let (opening, scoreKey) = (ItemText.opening, ItemText.scoreKey)
        for position in items.indices {
            let item = items[position]
            // The first item has none before it to close.
            let start = position == 0 ? 2 : 0
            if identifiers.needsEscaping(item.id) {
                writer.raw(capacity: opening.count) { $0.append(opening, from: start) }
                writer.string(identifiers.utf8(item.id))
                writer.raw(capacity: scoreKey.count) { $0.append(scoreKey) }
            } else {
                let capacity = opening.count + identifiers.jsonCount(item.id) + scoreKey.count
                writer.raw(capacity: capacity) { text in
                    text.append(opening, from: start)
                    identifiers.appendJSON(item.id, asInteger: asIntegers, to: &text)
                    text.append(scoreKey)
                }
            }
            writer.float(item.score)
        }
        if !items.isEmpty { writer.raw("}") }
    }

    private func writeExplanation(to writer: inout JSONWriter, exact: Bool) {
        writer.raw(",\"explain\":{\"seed\":")
        writer.integer(seed)
        writer.raw(",\"steps\":")
        writer.integer(fallback == nil ? steps : 0)
        writer.raw(",\"exact\":")
        writer.boolean(exact)
        writer.raw(",\"microseconds\":{\"parse\":")
        writer.microseconds(nanoseconds: times.parse)
        writer.raw(",\"guidance\":")
        writer.microseconds(nanoseconds: times.guidance)
        writer.raw(",\"diffusion\":")
        writer.microseconds(nanoseconds: times.diffusion)
        writer.raw(",\"search\":")
        writer.microseconds(nanoseconds: times.search)
        writer.raw(",\"encode\":")
        writer.microseconds(nanoseconds: times.encode)
        writer.raw("}}")
    }
}

/// What stands around an item's id.
private enum ItemText {
    static let opening = Array("},{\"id\":".utf8)
    static let scoreKey = Array(",\"score\":".utf8)
}

extension OutputSpan<UInt8> {
    fileprivate mutating func append(_ bytes: [UInt8], from start: Int = 0) {
        for index in start..<bytes.count { append(bytes[index]) }
    }
}
