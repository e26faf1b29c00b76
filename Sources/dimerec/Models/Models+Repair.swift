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
            let (mended, left) = try store.open().repair(removeDamaged: removeDamaged)
            if json {
                let rows = { (damage: [StoreDamage]) in damage.map { ["location": $0.location, "what": $0.what] } }
                Terminal.print(JSONObject(["mended": rows(mended), "damaged": rows(left)]).line)
            } else {
                for damage in mended { Terminal.print("mended   \(damage)") }
                for damage in left { Terminal.print("damaged  \(damage)") }
                if mended.isEmpty, left.isEmpty { Terminal.print("\(store.path): nothing is damaged") }
            }
            if !left.isEmpty { throw ExitCode.badData }
        }
    }
}
