/// The role of a column in an events or items file, and the names by which it is recognised.
public enum ColumnRole: String, Sendable, CaseIterable {
    /// The user of an interaction.
    case user
    /// The item of an interaction.
    case item
    /// The time of an interaction.
    case time
    /// The kind of an interaction, such as a view or a purchase.
    case event
    /// The rating that the user gave.
    case rating
    /// The weight of an interaction as a target.
    case weight
    /// An item's title.
    case title
    /// An item's categories.
    case categories

    /// The name that this program writes; it wins over all others.
    var ownName: String { self == .time ? "timestamp" : rawValue }

    /// The plural, for messages.
    var plural: String {
        switch self {
        case .user: "users"
        case .item: "items"
        case .time: "times"
        case .event: "kinds of events"
        case .rating: "ratings"
        case .weight: "weights"
        case .title: "titles"
        case .categories: "categories"
        }
    }

    /// The advice when the header does not name this column.
    var remedy: String {
        switch self {
        case .user, .item, .time, .event, .rating, .weight:
            "Name the column of \(plural) with --\(rawValue)-column, or add a header line that calls it '\(ownName)'."
        case .title: "Name the column of titles with --title-column."
        case .categories: "Name the column of categories with --category-column."
        }
    }

    /// Known names, as ``normalised(_:)`` writes them; an earlier name wins over a later one.
    package var names: [String] { englishNames + foreignNames }

    /// Known English names; a person comes before a session, and a full date with time before a date.
    var englishNames: [String] {
        switch self {
        case .user:
            [
                "user", "userid", "uid", "username", "visitor", "visitorid", "customer", "customerid", "member",
                "memberid", "account", "accountid", "client", "clientid", "player", "playerid", "subscriberid",
                "profileid", "reviewer", "reviewerid", "buyer", "buyerid", "shopper", "shopperid", "viewer", "viewerid",
                "listener", "listenerid", "reader", "readerid", "student", "studentid", "learner", "learnerid",
                "personid", "userno", "usernr", "customerno",
                "customernr", "customernumber", "memberno", "membernr", "anonymousid", "deviceid", "deviceuuid",
                "cookieid",
                "session", "sessionid", "sessionno", "sessionnr", "usersession", "visitid",
            ]
        case .item:
            [
                "item", "itemid", "iid", "product", "productid", "article", "articleid", "movie", "movieid", "video",
                "videoid", "sku", "skuid", "asin", "parentasin", "content", "contentid", "track", "trackid", "song",
                "songid", "artist", "artistid", "album", "albumid", "book", "bookid", "isbn", "news", "newsid",
                "listing", "listingid", "game", "gameid", "app", "appid", "course", "courseid", "recipe", "recipeid",
                "post", "postid", "episode", "episodeid", "lesson", "lessonid", "exercise", "exerciseid", "document",
                "documentid", "docid", "goods", "goodsid", "business", "businessid",
                "venue", "venueid", "poi", "poiid", "property", "propertyid", "hotel", "hotelid", "job", "jobid",
                "showid", "mediaid", "offerid", "adid", "aid", "film", "filmid", "itemno", "itemnr", "itemnumber",
                "itemcode", "productno", "productnr", "productnumber", "productcode", "articleno", "articlenr",
                "articlenumber", "articlecode", "stockcode", "question", "questionid",
            ]
        case .time:
            [
                "timestamp", "unixtimestamp", "eventtimestamp", "timestampms", "timestampns", "unixtime",
                "unixreviewtime", "utctimestamp", "eventtime", "datetime", "utctime", "time", "ts", "createdat",
                "occurredat", "createdtime", "createtime", "clicktime", "servertime", "reviewtime", "eventdate", "date",
                "clickedat", "viewedat", "playedat", "ratedat", "orderedat", "purchasedat", "tdat", "orderdate",
                "purchasedate", "invoicedate", "startedat", "submittedat", "watchedat", "viewtime", "listenedat",
                "enrolledat",
            ]
        case .event:
            [
                "event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviortype", "behaviour",
                "interaction", "interactiontype",
            ]
        case .rating: ["rating", "ratings", "overall", "stars", "reviewrating"]
        case .weight: ["weight"]
        case .title:
            [
                "title", "itemtitle", "movietitle", "producttitle", "booktitle", "name", "itemname", "productname",
                "trackname", "songname", "headline",
            ]
        case .categories:
            ["categories", "category", "genres", "genre", "tags", "tag", "topics", "topic", "categoryname"]
        }
    }

    /// Known names in other languages.
    ///
    /// They come after all English names, which older programs know alone, so that a file keeps its meaning.
    var foreignNames: [String] {
        switch self {
        case .user:
            [
                "kunde", "kundenid", "kundennr", "kundennummer", "nutzer", "nutzerid", "benutzer", "benutzerid",
                "besucher", "besucherid", "utilisateur", "idutilisateur", "idclient", "usuario", "idusuario", "cliente",
                "idcliente", "utente", "idutente", "klant", "klantid", "gebruiker", "gebruikerid", "sitzung",
                "sitzungsid", "utilisateurid", "usuarioid", "clienteid", "usuário", "usuárioid", "idusuário",
                "utilizador", "idutilizador", "użytkownik", "idużytkownika", "uzytkownik", "klient", "idklienta",
                "användare", "användarid", "пользователь", "idпользователя", "клиент", "ユーザー", "ユーザーid", "ユーザid",
                "会員id", "会員番号", "顧客id", "顧客番号", "用户", "用户id", "客户id", "会员id", "사용자", "사용자id", "고객번호",
            ]
        case .item:
            [
                "artikel", "artikelid", "artikelnr", "artikelnummer", "produkt", "produktid", "produktnr",
                "produktnummer", "produit", "idproduit", "idarticle", "producto", "idproducto", "artículo", "articulo",
                "idarticulo", "prodotto", "idprodotto", "articolo", "idarticolo", "produto", "idproduto",
                "produtoid", "productoid", "idproduktu", "towar", "товар", "idтовара", "商品", "商品id", "商品コード",
                "商品番号", "アイテム", "アイテムid", "物品id", "产品id", "상품", "상품id", "상품번호",
                "morceau", "idmorceau", "chanson", "idchanson", "canción", "cancion", "idcancion", "música", "musica",
                "brano", "canzone", "lied", "utwór", "曲id", "película", "pelicula", "idpelicula", "filme", "idfilme",
                "動画id", "作品id", "livre", "idlivre", "libro", "idlibro", "livro", "idlivro", "buch", "buchid", "książka",
                "cours", "idcours", "curso", "idcurso", "corso", "kurs", "kursid", "jeu", "idjeu", "juego", "idjuego",
                "jogo", "idjogo", "gioco", "spiel", "spielid", "gra", "annonce", "idannonce", "anuncio", "anuncioid",
                "idanuncio", "anúncio", "idanúncio", "annuncio", "anzeige", "anzeigeid", "anzeigenid", "anzeigennr",
                "inserat", "ogłoszenie", "offre", "idoffre", "oferta", "idoferta", "記事", "記事id", "artiste",
                "idartiste", "artista", "idartista", "artysta",
            ]
        case .time:
            [
                "zeitstempel", "zeitpunkt", "bestelldatum", "kaufdatum", "datum", "zeit", "horodatage", "fechahora",
                "fecha", "dataora", "tijdstip", "dateheure", "dateécoute", "écoutéle", "datecommande", "dateachat",
                "dateinscription", "marcadetiempo", "marcatemporal", "fechapedido", "fechacompra", "datahora",
                "datapedido", "datacompra", "znacznikczasu", "dataiczas", "datazapisu", "datazakupu", "czas", "время",
                "дата", "日時", "タイムスタンプ", "購入日時", "注文日時", "閲覧日時", "日付", "时间戳", "时间", "日期", "일시", "시간",
                "날짜",
            ]
        case .event: ["ereignis", "aktion", "événement", "evenement", "evento"]
        case .rating: ["bewertung", "sterne"]
        case .weight: []
        case .title: ["titel", "bezeichnung", "artikelname", "produktname", "titre", "título", "titulo", "titolo"]
        case .categories:
            ["kategorien", "kategorie", "warengruppe", "catégorie", "categorie", "categoría", "categoria"]
        }
    }

    /// A name in lower case, without white space, underscores, hyphens, or a type suffix such as `:token`.
    package static func normalised(_ name: String) -> String {
        let types = [":token", ":token_seq", ":float", ":float_seq"]
        let name = name.lowercased()
        let untyped = types.first(where: name.hasSuffix).map { name.dropLast($0.count) } ?? name[...]
        return String(untyped.filter { !$0.isWhitespace && $0 != "_" && $0 != "-" })
    }
}

/// Explicit names for the columns of a log and of its items file.
public struct EventColumns: Sendable, Equatable {
    /// The user column; nil to recognise it from the header.
    public var user: String?
    /// The item column; nil to recognise it from the header.
    public var item: String?
    /// The time column; nil to recognise it from the header.
    public var time: String?
    /// The column of kinds of events; nil to recognise it from the header.
    public var event: String?
    /// The column of ratings; nil to recognise it from the header.
    public var rating: String?
    /// The items file's column of titles; nil to recognise it from the header.
    public var title: String?
    /// The items file's column of categories; nil to recognise it from the header.
    public var categories: String?
    /// The column of weights; nil for the recipe's.
    var weight: String?
    /// Names that count like explicit ones, but only in a file that has them.
    var usual: [ColumnRole: String] = [:]

    /// Column names; nil ones are recognised from the header.
    public init(
        user: String? = nil,
        item: String? = nil,
        time: String? = nil,
        event: String? = nil,
        rating: String? = nil,
        title: String? = nil,
        categories: String? = nil
    ) {
        (self.user, self.item, self.time, self.event, self.rating) = (user, item, time, event, rating)
        (self.title, self.categories) = (title, categories)
    }

    /// The same names, and for the other roles those that a version's training was given, where a file has them.
    package func preferring(_ names: [String: String]?) -> EventColumns {
        var columns = self
        for (role, name) in names ?? [:] {
            if let role = ColumnRole(rawValue: role) { columns.usual[role] = name }
        }
        return columns
    }

    /// All names by role, for the manifest of a version; nil without any.
    var byRole: [String: String]? {
        var names: [String: String] = [:]
        for role in ColumnRole.allCases { names[role.rawValue] = self[role] ?? usual[role] }
        return names.isEmpty ? nil : names
    }

    subscript(role: ColumnRole) -> String? {
        switch role {
        case .user: user
        case .item: item
        case .time: time
        case .event: event
        case .rating: rating
        case .weight: weight
        case .title: title
        case .categories: categories
        }
    }
}
