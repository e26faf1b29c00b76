package import Serving

/// Reads the body of `POST /retrieve:batch`, `{"requests":[{...},...]}`.
///
/// A request that breaks the contract gets its own problem and does not affect the others. A body that is not JSON, at
/// any place, or is not such an object fails as a whole.
package struct RetrievalBatchReader {
    private let limit: Int
    private var requestReader: RetrievalRequestReader
    private var key: [UInt8] = []
    /// Unused requests of an earlier, longer batch, kept for their storage.
    private var spare: [RetrievalRequest] = []

    /// Creates a reusable reader.
    ///
    /// - Parameter limits: The bounds of each request and of the number of requests.
    package init(limits: RetrievalLimits = RetrievalLimits()) {
        limit = limits.maxBatch
        requestReader = RetrievalRequestReader(limits: limits)
    }

    /// Reads a body.
    ///
    /// - Parameters:
    ///   - body: The bytes.
    ///   - requests: Replaced by the requests of the body; the reader reuses the existing elements.
    ///   - problems: Replaced: for each request nil, or its problem, with a pointer such as `/requests/2/k`. The
    ///     content of a request with a problem is undefined.
    /// - Throws: A ``Problem`` of code `invalid_json` or `invalid_argument`; `requests` and `problems` are then
    ///   undefined.
    package mutating func read(
        _ body: [UInt8],
        into requests: inout [RetrievalRequest],
        problems: inout [Problem?]
    ) throws(Problem) {
        problems.removeAll(keepingCapacity: true)
        do {
            try readBody(body, into: &requests, &problems)
        } catch {
            throw Problem(error, in: body)
        }
        while requests.count > problems.count, let unused = requests.popLast() { spare.append(unused) }
    }

    private mutating func readBody(
        _ body: [UInt8],
        into requests: inout [RetrievalRequest],
        _ problems: inout [Problem?]
    ) throws {
        var reader = JSONReader(body)
        var (isFirst, hasRequests) = (true, false)
        try reader.expect(.object, at: "")
        reader.enter()
        while true {
            key.removeAll(keepingCapacity: true)
            guard try reader.nextKey(isFirst: &isFirst, into: &key) else { break }
            guard key.elementsEqual("requests".utf8) else {
                let message = "is not a field of a batch; its only field is requests."
                throw ContractViolation(pointer: pointerStep(key), message: message)
            }
            guard !hasRequests else { throw ContractViolation(pointer: "/requests", message: "is given twice.") }
            hasRequests = true
            try readList(&reader, into: &requests, &problems)
        }
        try reader.end()
        guard hasRequests else {
            throw ContractViolation(pointer: "/requests", message: "is missing; give a list of requests.")
        }
    }

    private mutating func readList(
        _ reader: inout JSONReader,
        into requests: inout [RetrievalRequest],
        _ problems: inout [Problem?]
    ) throws {
        try reader.expect(.array, at: "/requests")
        reader.enter()
        var isFirst = true
        while try reader.nextElement(isFirst: &isFirst) {
            let position = problems.count
            guard position < limit else {
                let message = "has more than \(limit) requests, the limit of one batch (MAX_BATCH)."
                throw ContractViolation(pointer: "/requests", message: message)
            }
            if requests.count == position { requests.append(spare.popLast() ?? RetrievalRequest()) }
            let start = reader.position
            do {
                try requestReader.read(&reader, into: &requests[position])
                problems.append(nil)
            } catch let violation as ContractViolation {
                reader.position = start
                try reader.skipValue()
                let pointer = "/requests/\(position)" + violation.pointer
                problems.append(Problem(.invalidArgument, at: pointer, violation.message))
            }
        }
        guard !problems.isEmpty else {
            throw ContractViolation(pointer: "/requests", message: "is empty; give at least one request.")
        }
    }
}
