import CheckpointStore
import Testing
import Training

@Suite("Items file") struct ItemsFileTests {
    private func catalogue(_ text: String, columns: EventColumns = EventColumns()) throws -> [String] {
        let metadata = try withFile(text) { try ItemMetadata.load(items: $0, columns: columns) }
        let found = metadata.catalogue(of: ItemVocabulary(ids: ["a", "b"]))
        return found.ids.indices.map { item in
            let names = found.categories[item].map { found.categoryNames[Int($0)] }.joined(separator: "+")
            return "\(found.ids[item]):\(found.titles[item]):\(names)"
        }
    }

    @Test(
        "only the item column is needed, with any known name and delimiter",
        arguments: [
            ("item\na\n", ["a::", "b::"]), ("item,title\na,A\n", ["a:A:", "b::"]),
            ("item,categories\na,x|y\n", ["a::x+y", "b::"]),
            ("movieId,title,genres\na,A,x|y\nb,B,\n", ["a:A:x+y", "b:B:"]),
            ("id;name;tags\na;A;x\n", ["a:A:x", "b::"]), ("Product ID\tCategory\na\tx\n", ["a::x", "b::"]),
            ("id,item_id,title\nz,a,A\n", ["a:A:", "b::"]), ("item|title\r\na|A\r\n", ["a:A:", "b::"]),
        ]
    )
    func optional(text: String, expected: [String]) throws {
        #expect(try catalogue(text) == expected)
    }

    @Test("the name of the events file's item column is preferred")
    func itemColumn() throws {
        let columns = EventColumns(item: "code")
        #expect(try catalogue("item,code,title\nz,a,A\n", columns: columns) == ["a:A:", "b::"])
        #expect(try catalogue("item,title\na,A\n", columns: columns) == ["a:A:", "b::"])
    }

    @Test("the columns of titles and of categories may be named, and the file must have them")
    func namedColumns() throws {
        let columns = EventColumns(title: "label", categories: "Mood")
        #expect(try catalogue("item,title,label,mood,genre\na,T,A,x|y,g\n", columns: columns) == ["a:A:x+y", "b::"])
        try withFile("item,title,mood\na,T,x\n") { path in
            #expect(throws: CSVError.missingColumns(["label"], file: path, found: ["item", "title", "mood"])) {
                try ItemMetadata.load(items: path, columns: columns)
            }
        }
    }

    @Test("a note says how filters name categories of a column with another name")
    func nameInFilters() throws {
        for (header, isTold) in [("genre", true), ("Categories", true), ("categories", false)] {
            let notes = try withFile("item,\(header)\na,x\n") { try ItemMetadata.load(items: $0).notes }
            #expect(notes.contains { $0.contains("'\(header)' by its role: 'categories'") } == isTold, "\(notes)")
        }
    }

    @Test("categories with a name in another language are an attribute too, unless an option names them")
    func foreignCategories() throws {
        for header in ["Warengruppe", "kategorie"] {
            try withFile("item,\(header)\na,x\nb,y\n") { path in
                for (columns, names) in [(EventColumns(), [header]), (EventColumns(categories: header), [])] {
                    let metadata = try ItemMetadata.load(items: path, columns: columns)
                    let catalogue = metadata.catalogue(of: ItemVocabulary(ids: ["a", "b"]))
                    #expect(catalogue.categoryNames == ["x", "y"] && catalogue.attributes.map(\.name) == names)
                }
            }
        }
    }

    @Test("names in other languages come after all English ones, also after the id of an items file")
    func foreignNames() throws {
        #expect(try catalogue("id,artikel,title\na,Shirt,A\n") == ["a:A:", "b::"])
        #expect(try catalogue("item,titel,name,Kategorie,tag\na,T,A,x,y\n") == ["a:A:y", "b::"])
    }

    @Test("the error of a file without an item column lists its columns")
    func noItems() throws {
        try withFile("title,year\nA,1\n") { path in
            let found = [
                CSVError.FoundColumn(name: "title", role: .title, sample: "A"),
                CSVError.FoundColumn(name: "year", role: nil, sample: "1"),
            ]
            #expect(throws: CSVError.unrecognisedHeader([.item], file: path, found: found, files: 1)) {
                try ItemMetadata.load(items: path)
            }
        }
    }

    @Test(
        "categories that another sign divides are one category, with a warning",
        arguments: [
            ("\"Drama, Comedy\"", "x", true), ("Drama;Comedy", "", true), ("\"['a', 'b']\"", "[]", true),
            ("Drama", "Comedy", false), ("\"a, b|c\"", "\"d, e\"", false), ("", "", false), ("\"a, b\"", "c", true),
        ]
    )
    func otherLists(first: String, second: String, isWarned: Bool) throws {
        let metadata = try withFile("item,categories\na,\(first)\nb,\(second)\n") { try ItemMetadata.load(items: $0) }
        #expect(metadata.notes.contains { $0.contains("only '|' divides categories") } == isWarned, "\(metadata.notes)")
    }

    @Test("a file that lists some of the items says how many") func someItems() throws {
        let events = "user,item,timestamp\n" + (0..<5).map { "u,a\($0),\($0)\n" }.joined()
        try withFile(events) { events in
            for (count, isNoted) in [(4, true), (5, false)] {
                let rows = (0..<count).map { "a\($0),T\n" }.joined()
                try withFile("item,title\n" + rows) { items in
                    let data = try TrainingData(events: events, split: .leaveOneOut, seed: 1, items: items)
                    #expect(data.notes.contains { $0.contains("lists 4 of the 5 items") } == isNoted)
                }
            }
        }
    }

    @Test("a file that lists none of the items gives a warning, one that lists some does not")
    func otherItems() throws {
        let events = "user,item,timestamp\n" + (0..<5).map { "u,a\($0),\($0)\n" }.joined()
        try withFile(events) { events in
            for (item, isWarned) in [("a1", false), ("b1", true)] {
                try withFile("item,title\n\(item),T\n") { items in
                    let data = try TrainingData(events: events, split: .leaveOneOut, seed: 1, items: items)
                    let warning = data.notes.first { $0.contains("'\(items)' lists none of the 5 items") }
                    #expect((warning != nil) == isWarned)
                    #expect(warning?.contains("such as 'a0'; its first item is 'b1'") ?? true)
                }
            }
        }
    }
}
