import ArgumentParser
import CheckpointStore
import Kernels
import Training

/// `bench import-vectors`: a servable version over given vectors.
struct ImportVectors: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-vectors",
        abstract: "Publish a version with given item vectors, to load-test a catalogue of any size.",
        discussion: "The network is random: answers are close to the history's mean and say nothing about accuracy."
    )
    @Option(help: "Item vectors (.fvecs); item i gets the id i.") var base: String?
    @Option(help: "Instead of a file: this many synthetic items with 64 elements, as in `bench index`.") var synthetic:
        Int?
    @Option(help: "The store (SQLite); created if missing.") var store: String
    @Option(help: "Name in the store.") var model: String
    @Option(help: "Seed of the network.") var seed: UInt64 = 42
    @Flag(help: "Give the items made-up attributes: price, stock, amount, released, brand and tags.")
    var attributes = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        guard (base != nil) != (synthetic != nil) else { throw ValidationError("Give --base or --synthetic.") }
        try ValidationError.require("--synthetic", synthetic, in: 1...10_000_000)
    }

    func run() throws {
        try ModelName.require(model)
        let start = ContinuousClock.now
        let vectors =
            if let base { try VectorFile.read(base) } else {
                SyntheticCatalogue.vectors(items: synthetic ?? 1, queries: 1).items
            }
        let store = try CheckpointStore(path: store)
        var checkpoint = try VectorImport(vectors: vectors, seed: seed, model: model).checkpoint()
        if attributes { checkpoint.catalogue.attributes = SyntheticCatalogue.attributes(items: vectors.rows) }
        let version = try store.publish(checkpoint)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard json else {
            Terminal.print("\(model) version \(version): \(vectors.rows) items in \(seconds) s")
            return
        }
        Terminal.print(JSONObject(["version": version, "items": vectors.rows, "seconds": seconds]).line)
    }
}
