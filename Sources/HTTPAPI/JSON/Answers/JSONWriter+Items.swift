import Kernels
import Serving

extension JSONWriter {
    private static let opening = Array("},{\"id\":".utf8)
    private static let scoreKey = Array(",\"score\":".utf8)

    /// Appends a list of items with their scores.
    ///
    /// - Parameters:
    ///   - items: The items and their scores.
    ///   - identifiers: The items' ids.
    ///   - asIntegers: Whether ids that are integers are written as JSON integers.
    mutating func items(_ items: [Scored], named identifiers: IdentifierTable, asIntegers: Bool) {
        let (opening, scoreKey) = (Self.opening, Self.scoreKey)
        let someNeedEscaping = identifiers.someNeedEscaping(items)
        raw("[")
        for position in items.indices {
            let item = items[position]
            // The first item has no predecessor to close.
            let start = position == 0 ? 2 : 0
            if someNeedEscaping, identifiers.needsEscaping(item.id) {
                raw(capacity: opening.count) { $0.append(opening, from: start) }
                string(identifiers.utf8(item.id))
                raw(capacity: scoreKey.count) { $0.append(scoreKey) }
            } else {
                let capacity = opening.count + identifiers.jsonCount(item.id) + scoreKey.count
                raw(capacity: capacity) { text in
                    text.append(opening, from: start)
                    identifiers.appendJSON(item.id, asInteger: asIntegers, to: &text)
                    text.append(scoreKey)
                }
            }
            float(item.score)
        }
        raw(items.isEmpty ? "]" : "}]")
    }

    /// Appends the members that name the version and the request, with a comma before each.
    mutating func origin(_ snapshot: ServingSnapshot, requestID: [UInt8]) {
        raw(",\"model\":")
        string(snapshot.model)
        raw(",\"version\":")
        integer(snapshot.version)
        raw(",\"request_id\":")
        string(requestID)
    }
}

extension OutputSpan<UInt8> {
    fileprivate mutating func append(_ bytes: [UInt8], from start: Int = 0) {
        for index in start..<bytes.count { append(bytes[index]) }
    }
}
