import TestSupport
import Testing
import Training

@Suite("file formats") struct FileFormatTests {
    @Test("the page lists every recognised column name, and no other")
    func columnNames() throws {
        let rows = Documentation.rows(of: try Documentation.page("Reference/FileFormats"), below: "Names of columns")
        #expect(rows.map { $0[0] } == ColumnRole.allCases.map(\.rawValue))
        for (role, row) in zip(ColumnRole.allCases, rows) {
            #expect(Documentation.code(in: row[1]) == role.names, "\(role)")
        }
    }

    @Test("the names in the guide are recognised")
    func guide() throws {
        let page = try Documentation.page("Guides/Train/TrainOnYourOwnLog")
        for role in [ColumnRole.user, .item, .time] {
            let line = try #require(page.split(separator: "\n").first { $0.hasPrefix("| \(role.rawValue) | ") })
            let names = Documentation.code(in: String(line))
            #expect(!names.isEmpty && names.allSatisfy { role.names.contains(ColumnRole.normalised($0)) }, "\(names)")
        }
    }
}
