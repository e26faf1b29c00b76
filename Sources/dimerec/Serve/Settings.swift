import ArgumentParser
import Foundation
import HTTPAPI

struct Settings: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List every setting of serve: name, values, default, effect."
    )
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
        Terminal.print(try json ? SettingReference.json() : SettingReference.text)
    }
}

extension ArgumentHelp {
    /// The help text of a setting, from the settings table.
    init(setting name: String) {
        let setting = Setting.named(name)
        let initial = setting.defaultText.isEmpty ? "" : " By default \(setting.defaultText)."
        self.init("\(setting.name): \(setting.summary)\(initial)")
    }
}
