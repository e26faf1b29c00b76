import Dispatch
import Kernels
package import Serving

extension RetrievalResponse {
    /// Writes the body of a `/retrieve` answer.
    ///
    /// - Parameters:
    ///   - writer: The writer to append to.
    ///   - request: The answered request.
    ///   - requestID: The request's id.
    package mutating func write(
        to writer: inout JSONWriter,
        request: borrowing RetrievalRequest,
        requestID: [UInt8]
    ) {
        let start = DispatchTime.now().uptimeNanoseconds
        writer.raw("{\"items\":")
        let identifiers = snapshot.identifiers
        if let fused {
            writer.items(items, from: fused, named: identifiers, asIntegers: request.answersIntegers)
        } else {
            writer.items(items, named: identifiers, asIntegers: request.answersIntegers)
        }
        writer.origin(snapshot, requestID: requestID)
        if let fused { writer.sources(fused) }
        writer.raw(",\"fallback\":")
        if let fallback { writer.string(fallback.rawValue) } else { writer.raw("null") }
        writer.raw(",\"unknown_ids\":")
        writer.integer(unknownIDs)
        writer.raw(",\"truncated\":")
        writer.boolean(truncated)
        if isPartial { writer.raw(",\"partial\":true") }
        times.encode = DispatchTime.now().uptimeNanoseconds - start
        if request.explain { writeExplanation(to: &writer, exact: request.exact, context: request.context) }
        writer.raw("}")
    }

    private func writeExplanation(to writer: inout JSONWriter, exact: Bool, context: HistoryContext) {
        writer.raw(",\"explain\":{\"seed\":")
        writer.integer(seed)
        writer.raw(",\"steps\":")
        writer.integer(fallback == nil ? steps : 0)
        writer.raw(",\"exact\":")
        writer.boolean(exact)
        writer.raw(",\"candidates\":{\"scanned\":")
        writer.integer(candidates.scanned)
        writer.raw(",\"rescored\":")
        writer.integer(candidates.rescored)
        writer.raw("},\"microseconds\":{\"parse\":")
        writer.microseconds(nanoseconds: times.parse)
        writer.raw(",\"guidance\":")
        writer.microseconds(nanoseconds: times.guidance)
        writer.raw(",\"diffusion\":")
        writer.microseconds(nanoseconds: times.diffusion)
        writer.raw(",\"search\":")
        writer.microseconds(nanoseconds: times.search)
        writer.raw(",\"encode\":")
        writer.microseconds(nanoseconds: times.encode)
        writer.raw("}")
        if !reasons.isEmpty { writeReasons(to: &writer) }
        if !context.isEmpty { writeIgnored(context, to: &writer) }
        writer.raw("}")
    }

    /// Writes which fields of the history's entries the system ignores: all that were given.
    private func writeIgnored(_ context: HistoryContext, to writer: inout JSONWriter) {
        let names = [(HistoryContext.times, "at"), (.weights, "weight"), (.events, "event")]
            .filter { context.contains($0.0) }
        writer.raw(",\"ignored\":[")
        for (position, name) in names.enumerated() {
            if position > 0 { writer.raw(",") }
            writer.string(name.1)
        }
        writer.raw("]")
    }

    /// Writes why each item is in the answer, in the order of the items.
    private func writeReasons(to writer: inout JSONWriter) {
        writer.raw(",\"items\":[")
        for (place, reason) in reasons.enumerated() {
            writer.raw(place == 0 ? "{" : ",{")
            writer.reason(reason)
            writer.raw("}")
        }
        writer.raw("]")
    }
}

extension JSONWriter {
    /// Appends the members that say why an item is in an answer.
    mutating func reason(_ reason: ItemReason) {
        raw("\"base_score\":")
        float(reason.base)
        raw(",\"boosts\":[")
        for (position, boost) in reason.boosts.enumerated() {
            if position > 0 { raw(",") }
            integer(boost)
        }
        raw("],\"reason\":")
        switch reason.position {
        case .score: string("score")
        case .pin: string("pin")
        case .new: string("new")
        case .share(let name):
            string("share")
            raw(",\"share_of\":")
            string(name)
        }
    }
}
