namespace SparseFrontier.Tasks;

/// <summary>Names and sentences of stories that no training sample has (the parameter HeldOut of the tasks on stories).</summary>
internal static class StoryHeldOut
{
    /// <summary>Names; as many items as a story has chapters at most, and some more.</summary>
    public static readonly StoryNames Names = new(
        [
            "Alder Viaduct", "Bittern Pools", "Cobalt Rotunda", "Dovecote Yard", "Ember Terminus", "Fennel Isle", "Gorse Paddock", "Harbinger Rock",
            "Icehouse Row", "Jackdaw Spire", "Kelp Strand", "Linden Boulevard", "Mulberry Cellars", "Nightjar Moor", "Otter Sluice", "Plover Dunes",
            "Quarrel Corner", "Rookery Lodge", "Sandpiper Jetty", "Teasel Common", "Upland Chapel", "Vesper Gardens", "Wren Tunnel", "Yarrow Bastion",
        ],
        [
            "Anselm the sailmaker", "Brunhild the notary", "Cosima the perfumer", "Detlef the thatcher", "Emeric the furrier", "Flavia the midwife",
            "Gunnar the charcoal burner", "Hermine the lacemaker", "Ivo the toll keeper", "Jolanda the organist", "Kasimir the fletcher", "Ludmilla the brewer",
            "Mauritz the wheelwright", "Norma the puppeteer", "Orlando the chandler", "Petronella the dyer", "Quentin the chimney sweep", "Roswitha the librarian",
        ],
        [
            "a sheepdog trial", "a fossil lecture", "a snail race", "a pumpkin weighing", "a bagpipe contest", "a lace exhibition", "a riddle night",
            "a tug of war",
        ],
        [
            "blunt", "chipped", "dented", "embossed", "frosted", "gilded", "hollow", "inlaid", "knotted", "mottled", "notched", "pitted", "ribbed", "speckled",
        ],
        ["agate", "basalt", "birch", "bone", "coral", "felt", "granite", "horn", "linen", "oak", "onyx", "slate", "tin", "wicker"],
        [
            "abacus", "basin", "candlestick", "dial", "earring", "fan", "gavel", "inkwell", "jug", "kettle", "ladle", "medallion", "padlock", "spindle",
            "tankard", "urn",
        ]);

    /// <summary>Sentences; a story has one of each kind in a chapter.</summary>
    public static readonly StoryFacts Facts = new(
        [
            "Nobody had expected {hero} at {location} so soon, yet there was a bed and a bowl of broth.",
            "It is to {location} that the next page of {hero}'s diary belongs.",
            "What {hero} saw first of {location} was smoke, then roofs, then laundry.",
        ],
        [
            "A voice from behind belonged to {character}, and {hero} turned round to listen.",
            "Who should be sitting at the next table but {character}, and {hero} asked for the salt.",
            "Thanks to a spilt cup of milk {hero} got to know {character}.",
        ],
        [
            "The luggage of {hero} grew by {an item}, paid for in small change.",
            "Since the price was right, {an item} changed hands and from then on was {hero}'s.",
            "What {hero} gave for {an item} would have paid for a good dinner.",
        ],
        [
            "The {item} went to a neighbour of the innkeeper, and {hero} counted the coins twice.",
            "For the {item} a dealer paid {hero} more than it was worth.",
        ]);
}
