import ArgumentParser
import CheckpointStore

extension Models {
    struct Repair: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Rebuild damaged parts of a store from the intact ones, and list the rest.",
            discussion: """
                Repairs indexes, active versions and activation histories. Versions, aliases and item changes that are \
                damaged beyond repair stay unless --remove-damaged is given. Stop services that use the store first, or \
                let them see the change at their next poll. The exit code is 3 if damage remains.
                """
        )
        @OptionGroup var store: StoreFile
        @Flag(help: "Remove versions, aliases and item changes that are damaged beyond repair.") var removeDamaged =
            false
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let repair = try store.open().repair(removeDamaged: removeDamaged)
            let counts = "\(repair.mended.count) repairs, \(repair.removed.count) removals"
            if json {
                let rows = { (damage: [StoreDamage]) in damage.map { ["location": $0.location, "what": $0.what] } }
                let fields = [
                    "mended": rows(repair.mended), "removed": rows(repair.removed), "damaged": rows(repair.left),
                ]
                Terminal.print(JSONObject(fields).line, done: counts)
            } else {
                for (word, damage) in [
                    ("mended ", repair.mended), ("removed", repair.removed), ("damaged", repair.left),
                ] {
                    for part in damage { Terminal.print("\(word)  \(part)", done: counts) }
                }
                if repair.isEmpty { Terminal.print("\(store.path): nothing is damaged") }
            }
            if !repair.left.isEmpty { throw ExitCode.badData }
        }
    }
}
