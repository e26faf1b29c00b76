import CheckpointStore
import Foundation
import Kernels
import TestSupport
import VectorIndex

extension FuzzTarget {
    /// Inputs that are accepted, or almost; a fuzzer changes them.
    package var seeds: [[UInt8]] {
        switch self {
        case .request:
            (Self.requests + ["{\"history\":[9223372036854775807],\"seed\":-1,\"ef\":null}"]).map { Array($0.utf8) }
        case .batch:
            [Self.requests.joined(separator: ","), "", "{\"history\":7},{\"history\":[]}"].map {
                Array("{\"requests\":[\($0)]}".utf8)
            }
        case .filter: Self.filters.map { Array($0.utf8) }
        case .inference:
            [
                #"{"inputs":[{"name":"history","datatype":"BYTES","shape":[2],"data":["1","2"]},"#
                    + #"{"name":"k","datatype":"INT32","shape":[1],"data":[5]}],"id":"i","outputs":[{"name":"ids"}]}"#,
                #"{"inputs":[{"name":"history","datatype":"BYTES","shape":[0],"data":[]}],"parameters":{}}"#,
            ].map { Array($0.utf8) }
        case .alias:
            [
                #"{"model":"m","split":[{"version":1,"percent":50},{"version":2,"percent":50}],"shadow":10,"#
                    + #""guard":{"max_error_rate":0.5,"max_p99_ms":5,"min_requests":100}}"#,
                #"{"model":"m","version":3}"#,
            ].map { Array($0.utf8) }
        case .item:
            [
                #"{"like":["1","2"],"title":"t","categories":["a"],"attributes":{"price":1}}"#,
                #"{"vector":[0.5,-1e-3,0],"title":null}"#,
            ].map { Array($0.utf8) }
        case .attributes:
            [
                #"{"items":[{"id":"1","attributes":{"price":9.5,"tags":["a","b"],"stock":null}},"#
                    + #"{"id":"2","attributes":{}}]}"#
            ].map { Array($0.utf8) }
        case .framing:
            [
                "Host: a.b:80\nContent-Length: 10\n", "host: [::1]:8080\ntransfer-encoding: chunked\n",
                "Host: x\nHost: y\nContent-Length: -1\n",
            ].map { Array($0.utf8) }
        case .trace:
            [
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\na=1,b@c=2",
                "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more\n",
            ].map { Array($0.utf8) }
        case .csv:
            [
                "user,item,timestamp\nu1,i1,1\nu1,\"i,2\",2024-02-29T12:00:00Z\nu2,i1,1.5e3\n",
                "item,title,categories\ni1,\"a \"\"b\"\"\",x|y\r\ni2,,\r\n", "user;item;time\n1;2;3\n",
                "a\tb\n\u{FEFF}1\t2\n",
            ].map { Array($0.utf8) }
        case .recipe:
            [
                #"{"model":{"historyLength":20,"denoiser":{"hidden":32},"guidance":{"hidden":32}},"#
                    + #""training":{"maxSteps":40,"validateEvery":40,"negatives":{"count":256}}}"#,
                #"{"system":"sasrec","training":{"batchSize":8,"learningRate":1e-3}}"#,
            ].map { Array($0.utf8) }
        case .index: Self.indexes
        case .bundle: Self.bundles
        case .version: Self.changedVersions
        }
    }

    private static let requests = [
        #"{"history":["i42","i7"],"k":50,"exclude":["i9"],"exclude_history":true,"filter":{"any_of":["Comedy"],"#
            + #""none_of":["Horror"]},"model":"stable","user":"u","seed":7,"steps":20,"samples":1,"diversity":0.5,"#
            + #""exact":false,"ef":4,"explain":true}"#,
        #"{"history":[1,2,"é\u00e9\ud83d\ude00"],"k":1,"category_penalty":0.25}"#,
        #"{"history":[],"filter":{"must":[{"key":"price","range":{"gte":1,"lt":20.5}}],"should":[]}}"#,
        #"{"history":[{"id":"1","at":"2024-02-29T00:00:00Z","weight":2,"event":"buy"}],"offset":10,"score_threshold":0.1,"#
            + #""boosts":[{"filter":{"any_of":["Comedy"]},"add":0.5},{"filter":{},"rank_factor":2}],"pins":[{"id":"1","#
            + #""position":1}],"group_by":{"key":"brand","limit":2},"min_new":{"key":"added","days":7,"share":0.2},"#
            + #""calibrate":{"key":"tags"}}"#,
    ]

    private static let filters = [
        #"{"any_of":["Comedy"],"none_of":["Horror"]}"#,
        #"{"must":[{"key":"price","range":{"gte":1,"lt":20.5}},{"key":"tags","match":{"any":["a","b"]}}],"#
            + #""should":[{"key":"brand","match":{"value":"x"}}],"must_not":[{"must":[{"key":"stock","match":{"value":true}}]}]}"#,
        "null",
    ]

    /// Both kinds over the vectors of the target.
    private static var indexes: [[UInt8]] {
        let vectors = CounterBasedGenerator(seed: 1, purpose: .simulation)
            .normalRows(streams: (0..<300).map { $0 }, columns: 8).normalisedRows().unit
        return [IndexConfiguration.Kind.flat, .partitioned].map { kind in
            guard let index = try? IndexFormat.build(vectors: vectors, configuration: IndexConfiguration(kind: kind))
            else { preconditionFailure("an index over \(vectors.shape) vectors cannot be built") }
            return index.serialised()
        }
    }

    /// An exported version of a small catalogue with attributes.
    private static var bundles: [[UInt8]] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dimerec-seed-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let store = try CheckpointStore(path: folder.appending(path: "store.sqlite").path)
            let version = try store.publish(makeCheckpoint(version: 1))
            let file = folder.appending(path: "export.sqlite")
            try store.export(model: "m", version: version, to: file.path)
            return [Array(try Data(contentsOf: file))]
        } catch {
            preconditionFailure("no exported version: \(error)")
        }
    }
}
