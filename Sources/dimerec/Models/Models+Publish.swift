import ArgumentParser
import CheckpointStore
import Fleet
import Foundation

extension Models {
    struct Publish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Publish a version for a fleet: to a folder that a web server serves, or to an object store.",
            discussion: """
                Writes the version's file and then index.json. Services whose CHECKPOINT_URL is the address of index.json \
                take the version. Publishing the newest version again only changes its stage; publishing an older one \
                makes the fleet return to it. If AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set, requests to an \
                address are signed for S3, with AWS_REGION and AWS_SESSION_TOKEN.
                """
        )
        @OptionGroup var target: Target
        @Option(help: "A folder, or its http:// or https:// address.") var to: String
        @Option(help: "The percentage of the replicas that take the version, 0 to 100.") var share = 100.0
        @Option(help: "A replica (REPLICA_NAME) that takes the version in any case; may be repeated.")
        var replica: [String] = []
        @Option(help: "A replica returns to its earlier version above this error rate, 0 to 1.") var maxErrorRate:
            Double?
        @Option(
            help: "A replica returns to its earlier version if the 99th percentile is above this many milliseconds."
        )
        var maxP99Ms: Double?
        @Option(help: "How many requests each judgement needs.") var minRequests = 500
        @Option(help: "How many versions of the model stay published.") var keep = 10
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try ValidationError.require("--share", share, in: 0...100)
            try ValidationError.require("--max-error-rate", maxErrorRate, in: 0...1)
            try ValidationError.requirePositive("--max-p99-ms", maxP99Ms, atMost: 60_000)
            try ValidationError.require("--min-requests", minRequests, in: 1...1_000_000)
            try ValidationError.require("--keep", keep, in: 1...1000)
        }

        func run() async throws {
            let store = try target.store.open(readOnly: true)
            let version = try target.resolve(in: store)
            var stage = Publication.Stage()
            stage.share = share
            stage.replicas = replica
            if maxErrorRate != nil || maxP99Ms != nil {
                stage.bounds = Release.Bounds(maxErrorRate: maxErrorRate, maxP99Ms: maxP99Ms, minRequests: minRequests)
            }
            let signature = RequestSignature(environment: ProcessInfo.processInfo.environment)
            let publication = Publication(to: to, client: StoreClient(signature: signature))
            let release = try await publication.publish(
                version,
                of: target.model,
                from: store,
                stage: stage,
                keeping: keep
            )
            let fields: [String: Any] = [
                "model": release.model, "version": release.version, "sequence": release.sequence, "file": release.file,
                "bytes": release.bytes, "sha256": release.sha256, "share": release.share,
            ]
            let text = "\(release.model) version \(release.version) is published for \(release.share) % of the replicas"
            Terminal.print(json ? JSONObject(fields).line : text, done: text)
        }
    }
}
