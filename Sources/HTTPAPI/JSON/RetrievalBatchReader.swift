package import Serving

/// Reads the body of `POST /retrieve:batch`.
package struct RetrievalBatchReader {
    private var reader = RetrievalRequestReader()

    /// A reader that can be used again and again.
    package init() {}

    /// Reads a body.
    ///
    /// - Parameters:
    ///   - body: The bytes.
    ///   - limit: How many requests there may be.
    ///   - requests: Filled; element `i` is a request when there is no problem `i`.
    ///   - problems: Filled; what is wrong with each element.
    /// - Throws: A ``Problem`` of the body as a whole.
    package mutating func read(
        _ body: [UInt8],
        limit: Int,
        into requests: inout [RetrievalRequest],
        problems: inout [Problem?]
    ) throws(Problem) {
        requests.removeAll(keepingCapacity: true)
        problems.removeAll(keepingCapacity: true)
        do {
            try JSONReader.validate(body)
            var json = JSONReader(body)
            var (isFirst, isFirstElement) = (true, true)
            var key: [UInt8] = []
            guard try json.kind() == .object else { throw Problem(.invalidArgument, at: "", "must be an object.") }
            json.enter()
            guard try json.nextKey(isFirst: &isFirst, into: &key), key.elementsEqual("requests".utf8),
                try json.kind() == .array
            else { throw Problem(.invalidArgument, at: "/requests", "must be a list, and the only field.") }
            json.enter()
            while try json.nextElement(isFirst: &isFirstElement) {
                guard problems.count < limit else {
                    throw Problem(.invalidArgument, at: "/requests", "must hold 1 to \(limit) requests.")
                }
                _ = try json.kind()
                let start = json.position
                try json.skipValue()
                var request = RetrievalRequest()
                do throws(Problem) {
                    try reader.read(Array(body[start..<json.position]), into: &request)
                    problems.append(nil)
                } catch {
                    let problem = error
                    let place = problem.errors.first
                    let pointer = "/requests/\(problems.count)\(place?.pointer ?? "")"
                    problems.append(Problem(problem.code, at: pointer, place?.message ?? problem.detail))
                }
                requests.append(request)
            }
            guard try !json.nextKey(isFirst: &isFirst, into: &key), !problems.isEmpty else {
                throw Problem(
                    .invalidArgument,
                    at: "/requests",
                    "must hold 1 to \(limit) requests, and be the only field."
                )
            }
        } catch let problem as Problem {
            throw problem
        } catch let error as JSONSyntaxError {
            throw Problem(.invalidJSON, at: "", "At byte \(error.offset): \(error.reason).")
        } catch {
            preconditionFailure("reading a body throws no \(error)")
        }
    }
}
