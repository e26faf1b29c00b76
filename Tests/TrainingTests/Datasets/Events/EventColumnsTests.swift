import Foundation
import Kernels
import Testing
import Training

/// The filter that names each value by its path.
private enum NestedFilter {
    static let flattening =
        #"[paths(scalars) as $p | {key: ($p | map(tostring) | join("_")), value: getpath($p)}] | from_entries"#
}

@Suite("Columns of an events file") struct EventColumnsTests {
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
            ("user\u{A0},item\u{A0}id,ts", "user\u{A0}", "item\u{A0}id", "ts"),
            ("reviewerID,asin,unixReviewTime", "reviewerID", "asin", "unixReviewTime"),
            ("Kunde,Artikel,Datum", "Kunde", "Artikel", "Datum"),
            ("Kunden-Nr,Produkt,Zeit", "Kunden-Nr", "Produkt", "Zeit"),
            ("id_client,id_produit,horodatage", "id_client", "id_produit", "horodatage"),
            ("Usuario,ARTÍCULO,fecha", "Usuario", "ARTÍCULO", "fecha"),
            ("utilisateur,morceau,date_écoute", "utilisateur", "morceau", "date_écoute"),
            ("usuario_id,anuncio_id,marca_de_tiempo", "usuario_id", "anuncio_id", "marca_de_tiempo"),
            ("id_cliente,anúncio,data_hora", "id_cliente", "anúncio", "data_hora"),
            ("Użytkownik,Kurs,Data zapisu", "Użytkownik", "Kurs", "Data zapisu"),
            ("Benutzer-ID,Anzeige,Zeitstempel", "Benutzer-ID", "Anzeige", "Zeitstempel"),
            ("ユーザーID,記事ID,日時", "ユーザーID", "記事ID", "日時"),
            ("用户ID,商品ID,时间", "用户ID", "商品ID", "时间"),
            ("visitorId,questionId,viewTime", "visitorId", "questionId", "viewTime"),
        ]
    )
    func recognises(header: String, user: String, item: String, time: String) throws {
        let loaded = try EventsFile.load("\(header)\nu,b,2\nu,a,1\n")
        #expect(EventsFile.sequences(loaded) == ["u": ["a", "b"]])
        #expect(loaded.data.notes.count == 1)
        for part in ["users from '\(user)'", "items from '\(item)'", "times from '\(time)'", "between commas"] {
            #expect(loaded.data.notes[0].contains(part), "\(loaded.data.notes)")
        }
    }

    @Test("the program's own names give no note, in any order")
    func ownNames() throws {
        for header in ["user,item,timestamp,user_id", "timestamp,x,item,user"] {
            #expect(try EventsFile.load("\(header)\n1,2,3,4\n").data.notes.isEmpty)
        }
    }

    @Test(
        "when several columns match, a documented order decides",
        arguments: [
            ("session_id,user_id,item,timestamp", "user_id", "item", "timestamp"),
            ("USER,user,item,timestamp", "user", "item", "timestamp"),
            ("user,movieId,item,timestamp", "user", "item", "timestamp"),
            ("user,item,date,time", "user", "item", "time"),
            ("kundennr,item,timestamp,session_id", "session_id", "item", "timestamp"),
            ("artikel,sku,user,datum,watched_at", "user", "sku", "watched_at"),
            ("Sitzung,Kunde,Artikel,Datum", "Kunde", "Artikel", "Datum"),
            ("Kunde,Artikel,Zeit,Datum", "Kunde", "Artikel", "Datum"),
            ("utilisateur,artiste,morceau,date", "utilisateur", "morceau", "date"),
            ("cliente,anuncio,producto,fecha", "cliente", "producto", "fecha"),
            ("user,item,time,timestamp", "user", "item", "timestamp"),
            ("user,product_id,category_id,event_time", "user", "product_id", "event_time"),
        ]
    )
    func precedence(header: String, user: String, item: String, time: String) throws {
        let names = header.split(separator: ",").map(String.init)
        let row = names.map { $0 == user ? "U" : $0 == item ? "I" : $0 == time ? "7" : "5" }
        let loaded = try EventsFile.load("\(header)\n\(row.joined(separator: ","))\n")
        #expect(loaded.data.userIDs == ["U"] && loaded.items == ["I"] && loaded.data.lastTimestamps == [7])
    }

    @Test("explicit column names override recognised ones")
    func flags() throws {
        let text = "user,who,what,when,timestamp\nx,u,b,2,1\nx,u,a,1,2\n"
        let loaded = try EventsFile.load(text, columns: EventColumns(user: "who", item: "what", time: "when"))
        #expect(EventsFile.sequences(loaded) == ["u": ["a", "b"]])
        #expect(
            try EventsFile.sequences(EventsFile.load(text, columns: EventColumns(item: "What"))) == ["x": ["b", "a"]]
        )
        #expect(
            try EventsFile.refusal(text, columns: EventColumns(user: "whom"))
                == "'F' has no column 'whom'; its columns are 'user', 'who', 'what', 'when', 'timestamp'."
        )
        #expect(try EventsFile.refusal(text, columns: EventColumns(user: "what", item: "what")).contains("'what'"))
    }

    @Test("the error of an unknown header lists its columns and the option")
    func unknownHeader() throws {
        let text = try EventsFile.refusal("who,what,when\nu,i,1\n")
        #expect(text.contains("users, or items") && text.contains("--user-column") && text.contains("--item-column"))
        #expect(text.contains("'who' (unknown, first value 'u'), 'what' (unknown, first value 'i'), 'when' (unknown"))
        let partly = try EventsFile.refusal("who,item,ts\nu,i,1\n")
        #expect(partly.contains("'item' (taken for items, first value 'i'), 'ts' (taken for times"))
        #expect(
            try EventsFile.refusal("a,b\nu,i\n", columns: EventColumns(user: "x", item: "y"))
                == "'F' has no columns 'x', 'y'; its columns are 'a', 'b'."
        )
        #expect(try EventsFile.refusal("user\nu\n").contains("--item-column"))
        #expect(try EventsFile.refusal("user item timestamp\nu i 1\n").contains("'user item timestamp' ("))
    }

    @Test("ambiguous columns are rejected, duplicates of unused columns are not")
    func ambiguous() throws {
        let text = try EventsFile.refusal("user_id,userId,item,timestamp\nu,v,i,1\n")
        #expect(text.contains("'user_id', 'userId'") && text.contains("--user-column"))
        #expect(
            try EventsFile.refusal("user_id,user_id,item,timestamp\nu,v,i,1\n").contains(
                "names the column 'user_id' twice"
            )
        )
        #expect(try EventsFile.load("user,item,timestamp,x,x\nu,i,1,2,3\n").data.eventCount == 1)
    }

    @Test("a first line that is a row or a comment is told apart from a header of unknown names")
    func noHeader() throws {
        let text = try EventsFile.refusal("7\t50\t1700000000\n8\t51\t1700000001\n")
        #expect(text.contains("The first line looks like a row.") && text.contains("sed '1i user,item,timestamp'"))
        #expect(try !EventsFile.refusal("who,what,when\n7,50,1700000000\n").contains("looks like a row"))
        #expect(try !EventsFile.refusal("who,item,2024\n7,50,3\n").contains("looks like a row"))
        #expect(try EventsFile.refusal("# exported today\nuser,item\n").contains("sed '/^#/d'"))
        #expect(try EventsFile.refusal("user item timestamp\nu i 1\n").contains("tr -s ' ' ','"))
    }

    @Test("a first line that tells a spreadsheet the delimiter is skipped", arguments: ["\n", "\r\n"])
    func spreadsheetLine(lineBreak: String) throws {
        for (separator, mark) in [(";", ""), ("\t", "\u{FEFF}"), (",", "")] {
            let lines = ["user", "u", "u"].enumerated().map { row, user in
                [user, row == 0 ? "item" : "i\(row)", row == 0 ? "timestamp" : "\(3 - row)", ""].joined(
                    separator: separator
                )
            }
            let text = mark + (["sep=\(separator)"] + lines).joined(separator: lineBreak) + lineBreak
            #expect(try EventsFile.sequences(EventsFile.load(text)) == ["u": ["i2", "i1"]])
        }
        let late = "sep=;\(lineBreak)user;item;timestamp\(lineBreak)u;i;yesterday\(lineBreak)"
        #expect(try EventsFile.refusal(late).hasPrefix("F:3:5: 'yesterday'"))
        #expect(try EventsFile.load("sep=,user,item\n1,u,i\n").data.eventCount == 1)
    }

    @Test("a log without a column of users may be one person's")
    func onePerson() throws {
        let text = try EventsFile.refusal("ts,item\n1700000000,a\n")
        #expect(text.hasSuffix("If all events are one person's, add a column 'user' with the same text in every row."))
        #expect(try !EventsFile.refusal("what,when\na,b\n").contains("one person's"))
    }

    @Test(
        "values inside of an object or a list get the filter that takes them out",
        arguments: [
            (#""payload":{"item":"i"}"#, "del(.payload) + .payload"),
            (#""items":[{"item":"i"}]"#, "del(.items) + .items[]"),
            (#""a b":[1,2]"#, #"del(.["a b"]) + {item: .["a b"][]}"#),
            (#""a":{"x":1},"tags":["p","q"],"b":{"y":2}"#, "del(.a, .b) + .a + .b"),
            (#""a":{"x":1},"b":[{"y":2}]"#, "del(.a, .b) + .a + .b[]"),
            (#""a":{"id":1},"b":{"id":2}"#, NestedFilter.flattening),
            (#""a":{"b":{"id":2}}"#, NestedFilter.flattening),
            (#""a":{"id":1},"b":[{"id":2}]"#, "del(.b) + .b[] | " + NestedFilter.flattening),
        ]
    )
    func nested(field: String, filter: String) throws {
        let text = try EventsFile.refusal("{\"user\":\"u\",\(field)}\n")
        #expect(text.contains("`jq -c '\(filter)'`") && text.contains("--item-column"), "\(text)")
    }

    @Test("double colons are recognised where no other delimiter occurs")
    func doubleColons() throws {
        let loaded = try EventsFile.load("user::item::timestamp\nu::a:b::2\nu::\"c::1\n")
        #expect(EventsFile.sequences(loaded) == ["u": ["\"c", "a:b"]] && loaded.data.notes.count == 1)
        #expect(try EventsFile.load("user,item::x,timestamp,item\nu,q,1,i\n").items == ["i"])
        #expect(try EventsFile.refusal("1::1193::5::978300760\n").contains("'1193'"))
    }

    @Test("comma, semicolon, tab and pipe give the same data", arguments: [",", ";", "\t", "|"])
    func delimiters(delimiter: String) throws {
        let rows = ["user,item,timestamp", "u,a,2", "u,b,1", "v,a,3"]
        let plain = try EventsFile.load(rows.joined(separator: "\n"))
        for (start, end) in [("", "\n"), ("\u{FEFF}", "\r\n"), ("\n", "\n")] {
            let text = start + rows.map { $0.replacing(",", with: delimiter) + end }.joined()
            let other = try EventsFile.load(text)
            #expect(other.data.digest == plain.data.digest && other.data.sequences == plain.data.sequences)
            #expect(other.data.notes.isEmpty == (delimiter == ","))
        }
    }

    @Test("delimiters inside quotes or names do not affect recognition")
    func quotedDelimiters() throws {
        #expect(try EventsFile.load("\"a;b;c;d;e\",user,item,timestamp\n1,u,\"x,y\",2\n").items == ["x,y"])
        #expect(try EventsFile.load("user,item,timestamp,a;b;c;d;e|f|g|h|i\nu,x,2,1\n").items == ["x"])
        #expect(try EventsFile.load("user;item;timestamp;\"a,b,c,d,e,f\"\nu;x,y;2;1\n").items == ["x,y"])
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
}
