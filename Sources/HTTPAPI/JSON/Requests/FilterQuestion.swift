import CheckpointStore
import Kernels
import Serving

/// The body of `POST /v1/filter:count` and `POST /v1/facets`.
struct FilterQuestion {
    /// The most attributes of one question.
    static let mostKeys = 16

    /// The model and the filter.
    private(set) var request = RetrievalRequest()
    /// The attributes to describe; none for a count.
    private(set) var keys: [String] = []
    /// The most values of a facet.
    private(set) var limit = 10

    /// Reads the body of a count.
    init(countBody body: [UInt8]) throws(Problem) {
        var reader = try BodyReader(body)
        try reader.object("", fields: ["filter", "model"], required: 0) { reader, name, pointer throws(Problem) in
            try readCommon(name, pointer, &reader)
        }
    }

    /// Reads the body of facets.
    ///
    /// - Parameters:
    ///   - body: The body.
    ///   - limits: Its `maxK` bounds the number of values.
    /// - Throws: A ``Problem``.
    init(facetsBody body: [UInt8], limits: RetrievalLimits) throws(Problem) {
        var reader = try BodyReader(body)
        let fields = ["keys", "filter", "model", "limit"]
        try reader.object("", fields: fields, required: 1) { reader, name, pointer throws(Problem) in
            switch name {
            case "keys":
                try reader.array(pointer) { reader, pointer throws(Problem) in
                    let key = try reader.string(pointer)
                    guard keys.count < Self.mostKeys else {
                        let message = "is name \(keys.count + 1); give at most \(Self.mostKeys)."
                        throw Problem(.invalidArgument, at: pointer, message)
                    }
                    guard !keys.contains(key) else { throw Problem(.invalidArgument, at: pointer, "is given twice.") }
                    keys.append(key)
                }
                guard !keys.isEmpty else {
                    throw Problem(.invalidArgument, at: pointer, "is empty; give 1 to \(Self.mostKeys) names.")
                }
            case "limit": limit = try reader.integer(pointer, in: limits.k)
            default: try readCommon(name, pointer, &reader)
            }
        }
    }

    private mutating func readCommon(
        _ name: String,
        _ pointer: String,
        _ reader: inout BodyReader
    ) throws(Problem) {
        if name == "filter" {
            try reader.filter(into: &request)
        } else {
            request.model = try reader.string(pointer)
        }
    }
}

extension FilteredItems {
    /// Writes the body of the answer; facets only if the question had keys.
    func write(to writer: inout JSONWriter, requestID: [UInt8]) {
        writer.raw("{\"count\":")
        writer.integer(items.count)
        writer.raw(",\"items\":")
        writer.integer(snapshot.itemCount)
        if !facets.isEmpty {
            writer.raw(",\"facets\":[")
            for (position, facet) in facets.enumerated() {
                if position > 0 { writer.raw(",") }
                writer.facet(facet)
            }
            writer.raw("]")
        }
        writer.origin(snapshot, requestID: requestID)
        writer.raw("}")
    }
}

extension JSONWriter {
    fileprivate mutating func facet(_ facet: Facet) {
        raw("{\"key\":")
        string(facet.key)
        raw(",\"type\":")
        string(facet.type.rawValue)
        raw(",\"count\":")
        integer(facet.count)
        if let range = facet.range {
            raw(",\"min\":")
            attribute(range.least)
            raw(",\"max\":")
            attribute(range.greatest)
        }
        raw(",\"values\":[")
        for (position, value) in facet.values.enumerated() {
            if position > 0 { raw(",") }
            raw("{\"value\":")
            attribute(value.value)
            raw(",\"count\":")
            integer(value.count)
            raw("}")
        }
        raw("]}")
    }
}
