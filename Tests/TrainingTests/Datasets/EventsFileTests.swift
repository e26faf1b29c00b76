import Foundation
import Kernels
import Testing
import Training

@Suite("Events file") struct EventsFileTests {
    private func load(
        _ text: String,
        columns: EventColumns = EventColumns(),
        name: String = "rows.csv"
    ) throws -> (data: InteractionDataset, items: [String]) {
        var vocabulary = ItemVocabulary()
        let data = try withFile(text, name: name) {
            try InteractionDataset.load(events: $0, columns: columns, vocabulary: &vocabulary)
        }
        return (data, vocabulary.ids)
    }

    /// The error of a file, with `F` for its path.
    private func refusal(_ bytes: [UInt8], columns: EventColumns = EventColumns()) throws -> String {
        try withFile(bytes) { path in
            var vocabulary = ItemVocabulary()
            let error = #expect(throws: CSVError.self) {
                try InteractionDataset.load(events: path, columns: columns, vocabulary: &vocabulary)
            }
            return "\(error.map(String.init(describing:)) ?? "")".replacing(path, with: "F")
        }
    }

    private func refusal(_ text: String, columns: EventColumns = EventColumns()) throws -> String {
        try refusal(Array(text.utf8), columns: columns)
    }

    private func sequences(_ loaded: (data: InteractionDataset, items: [String])) -> [String: [String]] {
        let rows = loaded.data.sequences
        return Dictionary(
            uniqueKeysWithValues: loaded.data.userIDs.enumerated().map { user, id in
                (id, rows[user].map { loaded.items[Int($0)] })
            }
        )
    }

    // MARK: Times

    @Test("a file of nanoseconds in reverse order is read in time order")
    func nanoseconds() throws {
        var lines = ["user,item,timestamp"]
        for place in (0..<8).reversed() { lines.append("u,i\(place),\(1_700_000_000_000_000_000 + place)") }
        let loaded = try load(lines.joined(separator: "\n"))
        #expect(sequences(loaded) == ["u": (0..<8).map { "i\($0)" }])
        #expect(loaded.data.lastTimestamps.map(\.description) == ["1700000000000000007"])
    }

    @Test("a split by time orders users whose last events are a nanosecond apart")
    func nanosecondSplit() throws {
        var lines = ["user,item,timestamp"]
        for user in (0..<10).reversed() {
            lines += ["u\(user),a,1600000000000000000", "u\(user),b,\(1_700_000_000_000_000_000 + user)"]
        }
        let split = DataSplit(try load(lines.joined(separator: "\n")).data, by: .time, seed: 0)
        #expect(split.validation.userIDs == ["u8"] && split.test.userIDs == ["u9"])
    }

    @Test("the digest depends on each nanosecond, not on how a time is written")
    func digest() throws {
        func digest(_ time: String) throws -> String { try load("user,item,timestamp\nu,i,\(time)\n").data.digest }
        #expect(try digest("1700000000000000000") != digest("1700000000000000001"))
        #expect(try digest("1700000000000000001") == digest("1.700000000000000001e18"))
        #expect(try digest("1704103200.5") == digest("2024-01-01T10:00:00.5Z"))
        #expect(try digest("1704103200") == digest("2024-01-01 12:00:00+02:00"))
    }

    @Test("calendar times give the same order as times in seconds", arguments: 0..<4 as Range<UInt64>)
    func calendarTimes(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let format = Date.ISO8601FormatStyle()
        var (plain, calendar) = ("user,item,timestamp\n", "user,item,timestamp\n")
        for event in 0..<200 {
            let seconds = Int.random(in: -2_000_000_000...4_000_000_000, using: &generator)
            let text = Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(format)
            plain += "u\(event % 9),i\(event),\(seconds)\n"
            calendar += "u\(event % 9),i\(event),\(text)\n"
        }
        let (numbers, times) = (try load(plain), try load(calendar))
        #expect(numbers.data.sequences == times.data.sequences)
        #expect(numbers.data.digest == times.data.digest)
    }

    @Test(
        "a column that mixes forms is rejected with both values and lines",
        arguments: [
            ("5", "2024-01-01"), ("2024-01-01", "2024-01-01T10:00:00"), ("2024-01-01T10:00:00", "2024-01-01T10:00:00Z"),
            ("2024-01-01 10:00:00", "1704103200"),
        ]
    )
    func mixedForms(first: String, other: String) throws {
        let text = try refusal("user,item,timestamp\nu,i,\(first)\nu,j,\(first)\nu,k,\(other)\n")
        #expect(text.hasPrefix("F:4:5: column 'timestamp' mixes forms of time: '\(other)' ("))
        #expect(text.contains("line 4") && text.contains("'\(first)' (") && text.contains("line 2"))
    }

    @Test("the error of an unreadable time lists the accepted forms")
    func unreadableTime() throws {
        let text = try refusal("user,item,timestamp\nu,i,31/01/2024\n")
        #expect(text.hasPrefix("F:2:5: '31/01/2024' in column 'timestamp' is no time."))
        #expect(text.contains("2024-01-31T10:00:00.123Z"))
    }

    @Test(
        "a date that ends with its year gets the command that converts it",
        arguments: [
            ("31/01/2024", "3-\\2-\\1|'`."), ("01.02.2024 10:00", "3-\\2-\\1|'`."), ("01/31/2024", "comes first here."),
            ("01/02/2024", "comes first here."), ("1/2/2024 8:26", "comes first here."), ("13/2/2024", "3-\\2-\\1|'`."),
        ]
    )
    func yearLast(time: String, end: String) throws {
        let text = try refusal("user,item,timestamp\nu,i,\(time)\n")
        #expect(text.contains("Write the year first") && text.hasSuffix(end), "\(text)")
    }

    @Test("dates in digits are dates if all numbers of the column are", arguments: ["", "0000", "000000"])
    func digitDates(timeOfDay: String) throws {
        func log(_ last: String) -> String {
            "user,item,timestamp\nu,b,20240301\(timeOfDay)\nu,a,20240229\(timeOfDay)\nu,c,\(last)\n"
        }
        let dates = try load(log("20240302" + timeOfDay))
        #expect(dates.data.lastTimestamps == [1_709_337_600] && sequences(dates) == ["u": ["a", "b", "c"]])
        #expect(dates.data.notes.contains { $0.contains("20240301\(timeOfDay)") && $0.contains("YYYYMMDD") })
        let numbers = try load(log("20240230" + timeOfDay))
        #expect(numbers.data.notes.isEmpty && sequences(numbers) == ["u": ["a", "c", "b"]])
    }

    @Test("a column that looks like times is named when no column is known to hold them")
    func timelike() throws {
        for time in ["2024-01-31 10:00:00", "1700000000", "1700000000000"] {
            let notes = try load("user,item,price,moment\nu,i,17.5,\(time)\n").data.notes
            #expect(notes.contains { $0.contains("'moment' looks like times: name it with --time-column 'moment'") })
            let text = try refusal("user,price,moment\nu,17.5,\(time)\n")
            #expect(
                text.contains("'price' (unknown, first") && text.contains("'moment' (unknown, looks like times, first")
            )
            #expect(text.contains("--item-column") && text.contains("--time-column"))
        }
        #expect(try !refusal("user,price\nu,17.5\n").contains("--time-column"))
    }

    @Test("without a column of times the file's order is used, with a warning")
    func noTimes() throws {
        let loaded = try load("user,item,price\nv,c,1\nu,b,9\nu,a,2\nv,a,3\n")
        #expect(sequences(loaded) == ["u": ["b", "a"], "v": ["c", "a"]])
        #expect(loaded.data.lastTimestamps == [3, 2])
        let note = try #require(loaded.data.notes.first)
        #expect(loaded.data.notes.count == 1 && note.hasPrefix("warning: ") && note.contains("--time-column"))
        #expect(note.contains("'price'"))
    }

    @Test("accepts negative and distant times", arguments: ["-5", "99999999999999999999", "9999-12-31", "0001-01-01"])
    func farTimes(time: String) throws {
        #expect(try load("user,item,timestamp\nu,i,\(time)\n").data.eventCount == 1)
    }

    // MARK: Columns

    @Test(
        "usual names are recognised",
        arguments: [
            ("user_id,item_id,timestamp", "user_id", "item_id", "timestamp"),
            ("User,Item,Timestamp", "User", "Item", "Timestamp"),
            ("user, item, timestamp", "user", " item", " timestamp"),
            ("userId,movieId,ts", "userId", "movieId", "ts"), ("visitorid,itemid,date", "visitorid", "itemid", "date"),
            ("SESSION ID,Product-ID,Event Time", "SESSION ID", "Product-ID", "Event Time"),
            ("user_id:token,item_id:token,timestamp:float", "user_id:token", "item_id:token", "timestamp:float"),
            ("customer_id,article_id,t_dat", "customer_id", "article_id", "t_dat"),
            ("uid,sku,created_at", "uid", "sku", "created_at"),
            ("reviewerID,asin,unixReviewTime", "reviewerID", "asin", "unixReviewTime"),
        ]
    )
    func recognises(header: String, user: String, item: String, time: String) throws {
        let loaded = try load("\(header)\nu,b,2\nu,a,1\n")
        #expect(sequences(loaded) == ["u": ["a", "b"]])
        #expect(loaded.data.notes.count == 1)
        for part in ["users from '\(user)'", "items from '\(item)'", "times from '\(time)'", "between commas"] {
            #expect(loaded.data.notes[0].contains(part), "\(loaded.data.notes)")
        }
    }

    @Test("the program's own names give no note, in any order")
    func ownNames() throws {
        for header in ["user,item,timestamp,user_id", "timestamp,x,item,user"] {
            #expect(try load("\(header)\n1,2,3,4\n").data.notes.isEmpty)
        }
    }

    @Test(
        "when several columns match, a documented order decides",
        arguments: [
            ("session_id,user_id,item,timestamp", "user_id", "item", "timestamp"),
            ("USER,user,item,timestamp", "user", "item", "timestamp"),
            ("user,movieId,item,timestamp", "user", "item", "timestamp"),
            ("user,item,date,time", "user", "item", "time"), ("user,item,time,timestamp", "user", "item", "timestamp"),
            ("user,product_id,category_id,event_time", "user", "product_id", "event_time"),
        ]
    )
    func precedence(header: String, user: String, item: String, time: String) throws {
        let names = header.split(separator: ",").map(String.init)
        let row = names.map { $0 == user ? "U" : $0 == item ? "I" : $0 == time ? "7" : "5" }
        let loaded = try load("\(header)\n\(row.joined(separator: ","))\n")
        #expect(loaded.data.userIDs == ["U"] && loaded.items == ["I"] && loaded.data.lastTimestamps == [7])
    }

    @Test("explicit column names override recognised ones")
    func flags() throws {
        let text = "user,who,what,when,timestamp\nx,u,b,2,1\nx,u,a,1,2\n"
        let loaded = try load(text, columns: EventColumns(user: "who", item: "what", time: "when"))
        #expect(sequences(loaded) == ["u": ["a", "b"]])
        #expect(try sequences(load(text, columns: EventColumns(item: "What"))) == ["x": ["b", "a"]])
        #expect(
            try refusal(text, columns: EventColumns(user: "whom"))
                == "'F' has no column 'whom'; its columns are 'user', 'who', 'what', 'when', 'timestamp'."
        )
        #expect(try refusal(text, columns: EventColumns(user: "what", item: "what")).contains("'what'"))
    }

    @Test("the error of an unknown header lists its columns and the option")
    func unknownHeader() throws {
        let text = try refusal("who,what,when\nu,i,1\n")
        #expect(text.contains("users, or items") && text.contains("--user-column") && text.contains("--item-column"))
        #expect(text.contains("'who' (unknown, first value 'u'), 'what' (unknown, first value 'i'), 'when' (unknown"))
        let partly = try refusal("who,item,ts\nu,i,1\n")
        #expect(partly.contains("'item' (taken for items, first value 'i'), 'ts' (taken for times"))
        #expect(
            try refusal("a,b\nu,i\n", columns: EventColumns(user: "x", item: "y"))
                == "'F' has no columns 'x', 'y'; its columns are 'a', 'b'."
        )
        #expect(try refusal("user\nu\n").contains("--item-column"))
        #expect(try refusal("user item timestamp\nu i 1\n").contains("'user item timestamp' ("))
    }

    @Test("ambiguous columns are rejected, duplicates of unused columns are not")
    func ambiguous() throws {
        let text = try refusal("user_id,userId,item,timestamp\nu,v,i,1\n")
        #expect(text.contains("'user_id', 'userId'") && text.contains("--user-column"))
        #expect(try refusal("user_id,user_id,item,timestamp\nu,v,i,1\n").contains("names the column 'user_id' twice"))
        #expect(try load("user,item,timestamp,x,x\nu,i,1,2,3\n").data.eventCount == 1)
    }

    @Test("a first line that is a row or a comment is told apart from a header of unknown names")
    func noHeader() throws {
        let text = try refusal("7\t50\t1700000000\n8\t51\t1700000001\n")
        #expect(text.contains("The first line looks like a row.") && text.contains("sed '1i user,item,timestamp'"))
        #expect(try !refusal("who,what,when\n7,50,1700000000\n").contains("looks like a row"))
        #expect(try !refusal("who,item,2024\n7,50,3\n").contains("looks like a row"))
        #expect(try refusal("# exported today\nuser,item\n").contains("sed '/^#/d'"))
    }

    // MARK: Delimiters

    @Test("double colons are recognised where no other delimiter occurs")
    func doubleColons() throws {
        let loaded = try load("user::item::timestamp\nu::a:b::2\nu::\"c::1\n")
        #expect(sequences(loaded) == ["u": ["\"c", "a:b"]] && loaded.data.notes.count == 1)
        #expect(try load("user,item::x,timestamp,item\nu,q,1,i\n").items == ["i"])
        #expect(try refusal("1::1193::5::978300760\n").contains("'1193'"))
    }

    @Test("comma, semicolon, tab and pipe give the same data", arguments: [",", ";", "\t", "|"])
    func delimiters(delimiter: String) throws {
        let rows = ["user,item,timestamp", "u,a,2", "u,b,1", "v,a,3"]
        let plain = try load(rows.joined(separator: "\n"))
        for (start, end) in [("", "\n"), ("\u{FEFF}", "\r\n"), ("\n", "\n")] {
            let text = start + rows.map { $0.replacing(",", with: delimiter) + end }.joined()
            let other = try load(text)
            #expect(other.data.digest == plain.data.digest && other.data.sequences == plain.data.sequences)
            #expect(other.data.notes.isEmpty == (delimiter == ","))
        }
    }

    @Test("delimiters inside quotes or names do not affect recognition")
    func quotedDelimiters() throws {
        #expect(try load("\"a;b;c;d;e\",user,item,timestamp\n1,u,\"x,y\",2\n").items == ["x,y"])
        #expect(try load("user,item,timestamp,a;b;c;d;e|f|g|h|i\nu,x,2,1\n").items == ["x"])
        #expect(try load("user;item;timestamp;\"a,b,c,d,e,f\"\nu;x,y;2;1\n").items == ["x,y"])
    }

    @Test("a header that arrives in pieces is recognised")
    func slowPipe() throws {
        try withFile("") { path in
            let pipe = path + ".pipe"
            let maker = try Process.run(URL(fileURLWithPath: "/usr/bin/env"), arguments: ["mkfifo", pipe])
            maker.waitUntilExit()
            let writer = Thread {
                guard let file = FileHandle(forWritingAtPath: pipe) else { return }
                for piece in ["\u{FEFF}", "us", "er;it", "em;timestamp\nu;i;", "1\n"] {
                    try? file.write(contentsOf: Data(piece.utf8))
                    Thread.sleep(forTimeInterval: 0.02)
                }
                try? file.close()
            }
            writer.start()
            var vocabulary = ItemVocabulary()
            let data = try InteractionDataset.load(events: pipe, vocabulary: &vocabulary)
            #expect(data.userIDs == ["u"] && vocabulary.ids == ["i"] && data.lastTimestamps == [1])
        }
    }

    // MARK: Odd rows

    @Test("spaces around ids and times are ignored unless they are quoted")
    func spaces() throws {
        let loaded = try load("user, item, timestamp\nu , b, 2\n u,\" a \", 1 \n")
        #expect(sequences(loaded) == ["u": [" a ", "b"]])
        #expect(try refusal("user,item,timestamp\nu,  ,1\n").hasPrefix("F:2:3: the id in column 'item' is empty"))
    }

    @Test("a delimiter at the end of each row gets its own advice")
    func surplusDelimiter() throws {
        let text = try refusal("user;item;timestamp\nu;i;1;\n")
        #expect(text.hasPrefix("F:2:1: the row ends with a delimiter") && text.contains("sed '1s/$/;/'"))
        #expect(try load("user;item;timestamp;\nu;i;1;\n").items == ["i"])
        #expect(try refusal("user,item,timestamp\nu,i,1,2\n").contains("4 fields instead of 3. Quote fields"))
        #expect(try refusal("user,item,timestamp\n# a day\n").contains("1 fields instead of 3. Complete the row"))
    }

    @Test("text that is not UTF-8 gets the command that converts it")
    func otherEncoding() throws {
        let text = try refusal(Array("user,item,timestamp\ncaf".utf8) + [0xE9] + Array(",i,1\n".utf8))
        #expect(text.hasPrefix("F:2:4: ") && text.contains("iconv -f WINDOWS-1252 -t UTF-8"))
    }

    @Test("ids by which programs write a missing value are named with their share")
    func missingIDs() throws {
        let loaded = try load("user,item,timestamp\nNaN,i,1\nNaN,j,2\nu,null,3\nNancy,none of these,4\n")
        #expect(loaded.data.notes.count == 2)
        #expect(loaded.data.notes[0].contains("the user 'NaN' has 50.0 % of the events"))
        #expect(loaded.data.notes[1].contains("the item 'null' has 25.0 % of the events"))
        #expect(loaded.data.eventCount == 4)
    }

    @Test("NUL bytes in ids are rejected with their place")
    func nul() throws {
        #expect(
            try refusal("user,item,timestamp\nu,i,1\nu,j\u{0},2\n").hasPrefix(
                "F:3:3: the id in column 'item' holds a NUL"
            )
        )
        #expect(try refusal("user,item,timestamp\n\u{0},i,1\n").hasPrefix("F:2:1: the id in column 'user' holds a NUL"))
    }

    @Test(
        "the error names a file's foreign format",
        arguments: [
            (Array(" [1]\n".utf8), "JSON"), ([0x1F, 0x8B, 8, 0], "gzip"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd"),
            (Array("PK\u{3}\u{4}".utf8), "ZIP"), (Array("PAR1".utf8), "Parquet"),
            ([0xFF, 0xFE, 0x75, 0], "UTF-16"), ([0x75, 0, 0x73, 0], "UTF-16"),
        ] as [([UInt8], String)]
    )
    func foreign(bytes: [UInt8], name: String) throws {
        let text = try refusal(bytes)
        #expect(text.hasPrefix("'F' is ") && text.contains(name) && text.contains("not separated text"))
    }

    @Test("too many rows are an error, not a trap")
    func rowLimit() throws {
        try withFile("user,item,timestamp\nu,a,1\nu,b,2\nu,c,3\n") { (path) throws in
            var vocabulary = ItemVocabulary()
            func load(rowLimit: Int) throws -> InteractionDataset {
                let (source, targets) = (EventSource(file: path), TargetConfiguration())
                return try InteractionDataset.load(
                    source,
                    EventColumns(),
                    targets,
                    &vocabulary,
                    .extend,
                    rowLimit: rowLimit
                )
            }
            #expect(throws: CSVError.tooManyRows(file: path, limit: 2)) { try load(rowLimit: 2) }
            #expect(try load(rowLimit: 3).eventCount == 3)
        }
    }
}
