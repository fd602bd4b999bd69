namespace SparseFrontier.Tasks;

/// <summary>What stories name; an item has an adjective, a material and a type.</summary>
internal sealed record StoryNames(
    string[] Locations, string[] Characters, string[] Events, string[] ItemAdjectives, string[] ItemMaterials, string[] ItemTypes);

/// <summary>The sentences that state the facts which questions are about.</summary>
internal sealed record StoryFacts(string[] Arrival, string[] Encounter, string[] Purchase, string[] Sale);

/// <summary>
/// What the generated stories are made of. The counts are those of the paper (section 4.5): sentences 10 of each kind but 30 of conversation,
/// 9 of purchase and 5 of sale; 64 locations, 49 characters, 20 events, 18 × 15 × 21 items.
/// </summary>
internal static class StoryMaterial
{
    public const string Protagonist = "Tamsin";

    public static StoryNames Names => new(Locations, Characters, Events, ItemAdjectives, ItemMaterials, ItemTypes);

    public static StoryFacts Facts => new(Arrival, Encounter, Purchase, Sale);

    public static readonly string[] Locations =
    [
        "Amber Quay", "Ashfall Terrace", "Barley Crossing", "Beacon Hollow", "Bellweather Square", "Birchwater", "Blackthorn Ferry", "Bramble Gate",
        "Candlewick Lane", "Cinder Bridge", "Cloudrest Abbey", "Copper Basin", "Coral Steps", "Crane Marsh", "Dewdrop Orchard", "Driftwood Bay",
        "Dunmoor Keep", "Eastlight Tower", "Elder Grove", "Fallow Heath", "Fernbrook Mill", "Flintlock Pass", "Foxglove Manor", "Frostpine Ridge",
        "Gannet Cliffs", "Gilded Arcade", "Glimmer Caves", "Goldenrod Farm", "Granite Stair", "Harrow Fields", "Hazel Junction", "Heron Island",
        "Hollow Oak Inn", "Indigo Docks", "Ironbell Station", "Ivy Cloister", "Juniper Springs", "Kestrel Point", "Kingfisher Locks", "Lantern Wharf",
        "Larkspur Meadow", "Limestone Quarry", "Lowtide Village", "Maple Court", "Marigold Market", "Mistral Heights", "Mossy Well", "Nettle Bank",
        "Northgate Library", "Opal Lagoon", "Pebble Cove", "Quince Garden", "Raven Observatory", "Redstone Canyon", "Rosewood Theatre", "Saffron Bazaar",
        "Salt Pan Village", "Silver Weir", "Sparrow Hill", "Thistle Camp", "Umber Forge", "Violet Plateau", "Willow Bend", "Windmill Green",
    ];

    public static readonly string[] Characters =
    [
        "Abelard the clockmaker", "Agnes the beekeeper", "Aldous the cartographer", "Anouk the glassblower", "Basil the ferryman", "Beatrix the astronomer",
        "Caspar the cooper", "Clementine the botanist", "Corin the falconer", "Daphne the archivist", "Dorian the stonemason", "Edda the blacksmith",
        "Elias the apothecary", "Fenna the weaver", "Florian the innkeeper", "Gerda the shipwright", "Giles the miller", "Hedwig the scribe",
        "Horatio the juggler", "Ida the baker", "Ignace the bookbinder", "Isolde the harpist", "Jasper the locksmith", "Jorun the fisher",
        "Katrin the tailor", "Konrad the vintner", "Leopold the painter", "Linnea the herbalist", "Lucan the lamplighter", "Magda the potter",
        "Matthis the cobbler", "Mirela the dancer", "Nestor the surgeon", "Noemi the printer", "Oskar the carpenter", "Ottilie the judge",
        "Perrin the shepherd", "Quilla the saddler", "Ragnar the tanner", "Rosalind the actor", "Rufus the gardener", "Sabine the engraver",
        "Silas the bellringer", "Tilda the translator", "Ulric the ropemaker", "Vera the candlemaker", "Wendel the messenger", "Xenia the jeweller",
        "Yorick the gravedigger",
    ];

    public static readonly string[] Events =
    [
        "a lantern festival", "a kite contest", "an open-air concert", "a chess tournament", "a harvest fair", "a boat race", "a puppet show",
        "a poetry evening", "a wedding feast", "a cattle auction", "a fencing match", "a baking contest", "a masked ball", "a fireworks display",
        "a public lecture", "a horse parade", "a wrestling bout", "a choir rehearsal", "a flower exhibition", "a town meeting",
    ];

    public static readonly string[] ItemAdjectives =
    [
        "ancient", "battered", "carved", "dainty", "elegant", "faded", "gleaming", "heavy", "intricate", "jagged", "lacquered", "miniature", "narrow",
        "ornate", "polished", "rustic", "slender", "weathered",
    ];

    public static readonly string[] ItemMaterials =
    [
        "amber", "brass", "bronze", "cedar", "copper", "crystal", "ebony", "ivory", "jade", "leather", "marble", "pewter", "porcelain", "silver",
        "walnut",
    ];

    public static readonly string[] ItemTypes =
    [
        "amulet", "bell", "bowl", "bracelet", "brooch", "buckle", "casket", "chalice", "comb", "compass", "figurine", "flask", "flute", "goblet",
        "hourglass", "lantern", "mirror", "pendant", "quill", "scabbard", "whistle",
    ];

    public static readonly string[] Arrival =
    [
        "Early in the morning {hero} arrived at {location}, tired from the road but glad to see the place at last.",
        "After two days of walking in the rain {hero} reached {location} and stopped to look around.",
        "The coach set {hero} down at {location} just as the bells were ringing for noon.",
        "It was almost dark when {hero} came to {location}, where the first lamps were being lit.",
        "Following the river downstream, {hero} found the way to {location} sooner than expected.",
        "A fisherman's cart brought {hero} to {location} in return for help with the nets.",
        "With sore feet and an empty water bottle {hero} walked into {location} in the middle of the afternoon.",
        "The fog lifted just in time for {hero} to see {location} from the last bend of the path.",
        "On the advice of a fellow traveller {hero} had taken the high road to {location} and did not regret it.",
        "Having slept badly in a barn, {hero} got to {location} before most people there were awake.",
    ];

    public static readonly string[] Reason =
    [
        "The plan was to rest for a day or two and to write a few letters that were long overdue.",
        "An old promise had to be kept here, although nobody else remembered it any more.",
        "There were rumours about this place that had to be looked into with one's own eyes.",
        "Money was running short, and it was said that honest work could be found here.",
        "A page of the travel diary had been reserved for this stop since the very beginning.",
        "The weather in the mountains had made every other route impossible for the time being.",
        "Curiosity alone was the reason, and it had always been reason enough.",
        "A package for a distant relative had to be handed over, and the address was somewhere nearby.",
        "The boots needed new soles, and no one in the last three villages could repair them.",
        "A dream about this very place had come back three nights in a row.",
    ];

    public static readonly string[] Event =
    [
        "By chance {event} was taking place that day, and the streets were full of people.",
        "Everybody was talking about {event}, which had been announced for that very evening.",
        "The noise came from {event}, to which visitors were admitted free of charge.",
        "A hand-painted sign pointed the way to {event}, and {hero} followed it.",
        "Half of the inhabitants had gone to {event}, so the houses looked deserted.",
        "For the first time in years {event} was being held, in spite of the poor weather.",
        "Children ran past, shouting that {event} was about to begin.",
        "At the centre of it all was {event}, watched by a large and cheerful crowd.",
        "Preparations for {event} had kept the whole community busy for weeks.",
        "In the late hours {event} came to its end, and the crowd went home singing.",
    ];

    public static readonly string[] Encounter =
    [
        "Near a fountain {hero} met {character}, who was feeding the pigeons.",
        "It was there that {hero} met {character}, and the two of them fell into conversation at once.",
        "While looking for a bench in the shade {hero} met {character}, who moved aside to make room.",
        "A dropped glove was the reason why {hero} met {character} that day.",
        "Under the awning of a closed shop {hero} met {character}, who was waiting for the rain to stop.",
        "In a queue for hot soup {hero} met {character}, who had lived here for many years.",
        "Someone called out a greeting, and that is how {hero} met {character}.",
        "On a narrow stair {hero} met {character}, and neither of them could pass without a word.",
        "Having asked the wrong person for directions, {hero} met {character}, who knew the right ones.",
        "At the edge of the crowd {hero} met {character}, who did not seem to enjoy the noise either.",
    ];

    public static readonly string[] Conversation =
    [
        "They spoke about the harvest, which had been better than anyone had dared to hope.",
        "They compared the songs that their grandmothers had sung and found that the tunes were the same.",
        "The talk turned to the price of flour and stayed there for quite a while.",
        "A long story about a runaway goat made both of them laugh until they had to sit down.",
        "They agreed that the winters had become milder and the summers harder to bear.",
        "There was some disagreement about the best way to cook lentils, but it ended peacefully.",
        "They wondered how many people had ever counted the stars and given up.",
        "The question was raised whether cats can tell the time, and it was left open.",
        "They remembered teachers who had been strict and had nevertheless been right.",
        "A map was drawn in the dust to show where the old road used to run.",
        "They exchanged remedies for a stiff neck, none of which either of them had tried.",
        "For several minutes they simply listened to a blackbird on a chimney.",
        "They discussed a newspaper report about a bridge that was to be built next year.",
        "It turned out that both of them had once been afraid of thunder.",
        "They talked about brothers and sisters, and about how seldom one writes to them.",
        "The conversation wandered from clouds to sheep and from sheep to blankets.",
        "They tried to recall the rules of a card game and invented those that were missing.",
        "A remark about the mayor's hat was made in a very low voice.",
        "They admired a spider's web that hung between two railings.",
        "Each of them told of a journey that had gone wrong from the first hour.",
        "They spoke of books that are praised by all and finished by nobody.",
        "The best season for planting onions was considered from every side.",
        "They admitted that neither of them could whistle, though not for want of trying.",
        "A warning was given about the dog behind the blue fence.",
        "They guessed the age of the oak on the corner and were probably both wrong.",
        "There was talk of a ghost, but only of a small and harmless one.",
        "They praised the local bread and regretted the local coffee.",
        "The two of them found out that they shared a birthday, four years apart.",
        "They imagined what the place would look like in a hundred years.",
        "A proverb was quoted that did not quite fit the occasion, and nobody minded.",
    ];

    public static readonly string[] Purchase =
    [
        "Before long {hero} bought {an item} from a stall that was about to close.",
        "In a dusty shop around the corner {hero} bought {an item} after a little haggling.",
        "With the last coins of the week {hero} bought {an item} and did not regret it.",
        "A pedlar opened his bag, and {hero} bought {an item} without asking where it came from.",
        "At a fair price {hero} bought {an item}, wrapped in three layers of paper.",
        "Unable to resist, {hero} bought {an item} that had been standing in a window.",
        "From a widow who was clearing her attic {hero} bought {an item} that afternoon.",
        "After some hesitation {hero} bought {an item} as a souvenir of the day.",
        "At a small auction {hero} bought {an item}, since nobody else raised a hand.",
    ];

    public static readonly string[] Sale =
    [
        "To make the luggage lighter, {hero} sold the {item} to a passing merchant.",
        "A collector offered good money, and so {hero} sold the {item} on the spot.",
        "With a heavy heart {hero} sold the {item}, because the room had to be paid for.",
        "Someone had taken a liking to the {item}, and {hero} sold it for a handful of coins.",
        "The {item} had lost its charm by now, so {hero} sold it to a second-hand dealer.",
    ];

    public static readonly string[] Farewell =
    [
        "When it was time to part, they shook hands and wished each other a safe way.",
        "They said goodbye at the gate and promised to write, as people do.",
        "The farewell was short, for neither of them was fond of long ones.",
        "A last joke was told, and then each of them went a different way.",
        "They parted as friends, although they had known each other for only a few hours.",
        "The clock struck, and with a wave of the hand they separated.",
        "Before parting they shared an apple, half for the one and half for the other.",
        "It began to drizzle, so the goodbye was said under a single umbrella.",
        "They took leave of each other with a bow that was meant to be funny.",
        "A promise to meet again was made, without a date and without a place.",
    ];

    public static readonly string[] Conclusion =
    [
        "That night {hero} fell asleep at once and dreamt of nothing at all.",
        "Before going to bed {hero} wrote two pages in the diary by candlelight.",
        "The next morning the rucksack was packed before the sun had come up.",
        "It had been a good day, and {hero} knew it.",
        "There was still a long road ahead, and {hero} was looking forward to it.",
        "From the window of the inn the hills could be seen, blue and far away.",
        "A letter home was begun that evening and finished much later.",
        "By the time the stars came out, {hero} had already decided where to go next.",
        "The room was cold, but the blankets were thick and smelled of lavender.",
        "In the end nothing had gone as planned, and that was quite all right.",
    ];

    public static readonly string[] Extra =
    [
        "Somewhere a door was banging in the wind, and nobody got up to close it.",
        "The smell of fresh paint hung over everything.",
        "A grey cat followed at a distance and then lost interest.",
        "On a wall somebody had chalked a sum that did not add up.",
        "The sky had the colour of weak tea.",
        "Two old men were arguing about a bench that belonged to neither of them.",
        "A kettle could be heard singing through an open window.",
        "Leaves were being swept into heaps, and the wind took them apart again.",
        "Far off, a train or perhaps a storm was rumbling.",
        "The puddles were so clear that the houses seemed to stand on their own roofs.",
    ];
}
