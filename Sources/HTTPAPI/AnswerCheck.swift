import Foundation
package import Serving

/// A retrieval as it was sent and answered.
package struct RecordedAnswer: Codable, Equatable, Sendable {
    /// The number of the client that sent it; the answers of one client are recorded in the order of sending.
    package var client: Int
    /// The request's id, which the answer repeats.
    package var requestID: String
    /// The body of the request to `/retrieve`.
    package var request: String
    /// The body of the answer.
    package var answer: String

    /// Groups the parts.
    package init(client: Int, requestID: String, request: String, answer: String) {
        self.client = client
        self.requestID = requestID
        self.request = request
        self.answer = answer
    }
}

/// Recomputes recorded answers from the stored versions that they name, and compares the bytes.
///
/// An answer must be that of its version after the first `n` item changes of its model, for some `n`. For one client
/// and one version, `n` must never fall. The store has only the newest change of each item, so an item may change only
/// once between the first recorded answer and the check. Changed attributes are not replayed, so do not record requests
/// with filters or rules over attributes that change meanwhile.
///
/// Memory: every version that an answer names stays in memory, once for each number of changes.
package struct AnswerCheck {
    /// A recorded answer that the store does not give.
    package struct Difference: Error, CustomStringConvertible {
        /// What is wrong.
        package let reason: String
        /// The record.
        package let record: RecordedAnswer
        /// The answer of the version without item changes; nil when the version cannot answer.
        package let computed: String?

        /// Groups the parts.
        package init(reason: String, record: RecordedAnswer, computed: String?) {
            self.reason = reason
            self.record = record
            self.computed = computed
        }

        /// The whole record and the whole computed answer.
        package var description: String {
            """
            Request \(record.requestID) of client \(record.client): \(reason)
              request:  \(record.request)
              received: \(record.answer)
              computed: \(computed ?? "-")
            """
        }
    }

    private struct VersionName: Hashable {
        let model: String
        let version: Int
    }

    private struct ClientVersion: Hashable {
        let client: Int
        let name: VersionName
    }

    private struct Origin: Decodable {
        let model: String
        let version: Int
    }

    private let source: any CheckpointSource
    private let builder: SnapshotBuilder
    private let limits: RetrievalLimits
    private let workspace = RetrievalWorkspace()
    private var reader: RetrievalRequestReader
    /// The snapshots of a version after 0, 1, 2, … changes.
    private var states: [VersionName: [ServingSnapshot]] = [:]
    /// The number of changes in a client's last answer of a version.
    private var reached: [ClientVersion: Int] = [:]

    /// How many answers were equal, by `model/version`.
    package private(set) var equal: [String: Int] = [:]
    /// The largest number of item changes that an answer reflects.
    package private(set) var itemChanges = 0

    /// A check against a store.
    ///
    /// - Parameters:
    ///   - source: The store.
    ///   - builder: Makes snapshots as the service does.
    ///   - limits: The service's limits of requests.
    package init(source: any CheckpointSource, builder: SnapshotBuilder, limits: RetrievalLimits = RetrievalLimits()) {
        self.source = source
        self.builder = builder
        self.limits = limits
        reader = RetrievalRequestReader(limits: limits)
    }

    /// Checks the next answer of a client.
    ///
    /// - Throws: ``Difference``.
    package mutating func check(_ record: RecordedAnswer) throws(Difference) {
        guard let origin = try? JSONDecoder().decode(Origin.self, from: Data(record.answer.utf8)) else {
            throw Difference(reason: "the answer names no model and version", record: record, computed: nil)
        }
        var request = RetrievalRequest()
        do throws(Problem) {
            try reader.read(Array(record.request.utf8), into: &request)
        } catch {
            throw Difference(reason: "the request is invalid: \(error.detail)", record: record, computed: nil)
        }
        // The recorded answer names its version, so the alias does not matter.
        request.model = nil
        let name = VersionName(model: origin.model, version: origin.version)
        let states = try states(of: name, for: record)
        let client = ClientVersion(client: record.client, name: name)
        let before = reached[client] ?? 0
        for changes in before..<states.count {
            guard try answer(request, from: states[changes], to: record) == record.answer else { continue }
            reached[client] = changes
            itemChanges = max(itemChanges, changes)
            equal["\(name.model)/\(name.version)", default: 0] += 1
            return
        }
        for changes in 0..<before where try answer(request, from: states[changes], to: record) == record.answer {
            let reason = "the answer has \(changes) item changes, but an earlier one of this client has \(before)"
            throw Difference(reason: reason, record: record, computed: nil)
        }
        let computed = try answer(request, from: states[0], to: record)
        throw Difference(reason: "the answer is not that of its version", record: record, computed: computed)
    }

    private mutating func states(
        of name: VersionName,
        for record: RecordedAnswer
    ) throws(Difference) -> [ServingSnapshot] {
        if let known = states[name] { return known }
        do {
            let checkpoint = try source.load(model: name.model, version: name.version)
            // A workspace tells encoders apart by their generation.
            let built = try builder.build(checkpoint, generation: UInt64(states.count + 1))
            let changes = try source.itemChanges(of: name.model)
            var found = [built]
            for count in changes.indices { found.append(built.applying(Array(changes[...count])).snapshot) }
            states[name] = found
            return found
        } catch {
            let reason = "version \(name.version) of '\(name.model)' cannot be computed: \(error)"
            throw Difference(reason: reason, record: record, computed: nil)
        }
    }

    private func answer(
        _ request: RetrievalRequest,
        from snapshot: ServingSnapshot,
        to record: RecordedAnswer
    ) throws(Difference) -> String {
        let service = RetrievalService(holder: RoutingHolder(RoutingTable(snapshot)), limits: limits)
        do throws(RetrievalError) {
            var response = try service.retrieve(request, workspace: workspace)
            var writer = JSONWriter()
            response.write(to: &writer, request: request, requestID: Array(record.requestID.utf8))
            return String(decoding: writer.bytes, as: UTF8.self)
        } catch {
            throw Difference(reason: "the version refuses the request: \(error)", record: record, computed: nil)
        }
    }
}
