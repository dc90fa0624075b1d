# stories.awk: the text sets of prepare.sh as documents, divided into a training and a held-out part, and capitals for the
# lower-cased stories. POSIX awk, bytes (LC_ALL=C). A document on its way is one line, its paragraphs separated by tabs.
#
#   awk -v step=documents -v set=tiny|child|book -v held=FILE stories.awk TEXT...   training documents on stdout, the others to FILE
#   awk -v step=articles -v most=N stories.awk TEXT...                              articles without titles, cut after N bytes
#   awk -v step=lines stories.awk DOCUMENTS                                         one to four sentences a line
#   awk -v step=names stories.awk STORIES CASED...                                  the words to capitalise, one a line
#   awk -v step=truecase stories.awk NAMES STORIES                                  stories with capitals

BEGIN {
	FS = "\t"
	if (step == "documents") {
		crc_tables()
		split("Oscar_Wilde_The_Happy_Prince J_M_Barrie_Peter_Pan Philip_K_Dick_Second Agatha_Christie_Poirot " \
		      "Louisa_May_Alcott_Little_Men", held_books, " ")
	}
	words("said asked replied shouted cried yelled exclaimed called whispered answered thought screamed says begged sang " \
	      "barked added", is_speech)
	words("mom dad mommy daddy mama papa grandma grandpa grandmother grandfather", is_kin)
	words("her his my your their our the a an its every each and's s that this another", is_determiner)
	words("monday tuesday wednesday thursday friday saturday sunday january february april june july september october " \
	      "november december christmas easter halloween santa english africa america china india", is_fixed)
	words("a an the his her he she it they and after him that who because is was little big old in on mom dad to for so by " \
	      "with my your if the me you i", is_no_name)
}

function words(list, set_of, n, i, w)
{
	n = split(list, w, " ")
	for (i = 1; i <= n; i++) set_of[w[i]] = 1
}

# ---- Documents ------------------------------------------------------------------------------------------------------------

# CRC-32 (IEEE 802.3) in four bytes: awk has no exclusive or, so bytes go through a table.
function xor_byte(a, b, r, bit)
{
	r = 0
	for (bit = 1; bit < 256; bit *= 2) {
		if (a % 2 != b % 2) r += bit
		a = int(a / 2)
		b = int(b / 2)
	}
	return r
}

function crc_tables(i, j, c, odd, part)
{
	for (i = 0; i < 256; i++) {
		code[sprintf("%c", i)] = i
		for (j = 0; j < 256; j++) xor[i, j] = xor_byte(i, j)
	}
	for (i = 0; i < 256; i++) {
		part[0] = i
		part[1] = part[2] = part[3] = 0
		for (j = 0; j < 8; j++) {
			odd = part[0] % 2
			for (c = 0; c < 4; c++) part[c] = int(part[c] / 2) + (c < 3 && part[c + 1] % 2 ? 128 : 0)
			if (odd) { # 0xEDB88320
				part[0] = xor[part[0], 32]
				part[1] = xor[part[1], 131]
				part[2] = xor[part[2], 184]
				part[3] = xor[part[3], 237]
			}
		}
		for (c = 0; c < 4; c++) crc_of[i, c] = part[c]
	}
}

# A document is held out when the CRC-32 of its first 200 characters is a multiple of 40.
function is_held(text, i, n, ch, index_, c0, c1, c2, c3, characters)
{
	c0 = c1 = c2 = c3 = 255
	n = length(text)
	for (i = 1; i <= n; i++) {
		ch = code[substr(text, i, 1)]
		if ((ch < 128 || ch >= 192) && ++characters > 200) break
		index_ = xor[c0, ch]
		c0 = xor[c1, crc_of[index_, 0]]
		c1 = xor[c2, crc_of[index_, 1]]
		c2 = xor[c3, crc_of[index_, 2]]
		c3 = crc_of[index_, 3]
	}
	return ((((255 - c3) * 256 + 255 - c2) * 256 + 255 - c1) * 256 + 255 - c0) % 40 == 0
}

function add_paragraph(text)
{
	document = document (paragraphs ? "\t" : "") text
	if (++paragraphs <= 2) opening = opening text
	size += length(text)
}

function end_document()
{
	if (paragraphs && !(set == "tiny" && size <= 150) && !(set == "child" && paragraphs <= 2)) {
		if (set == "book" ? held_book : is_held(opening)) print document > held
		else print document
	}
	document = opening = ""
	paragraphs = size = 0
}

step == "documents" {
	if (FNR == 1) {
		end_document()
		held_book = 0
		for (b in held_books)
			if (index(FILENAME, held_books[b])) held_book = 1
		blank = 1
	}
	gsub(/^[ \t\r]+|[ \t\r]+$/, "")
	gsub(/\t/, " ")
	if (set == "tiny" && $0 != "" && !blank) end_document() # stories follow one another without an empty line
	if (set == "child" && $0 == "") end_document()
	if ($0 != "") add_paragraph($0)
	blank = $0 == ""
}

# ---- Articles -------------------------------------------------------------------------------------------------------------

# Of each article the paragraphs that begin within its first `most` bytes; nothing is held out here, for these sets have files for it.
step == "articles" {
	gsub(/^[ \t\r]+|[ \t\r]+$/, "")
	gsub(/\t/, " ")
	if (FNR == 1 || $0 == "") end_article()
	if ($0 != "" && length(article) < most) article = article (titled ? "\t" : "") $0
	if ($0 != "" && !titled) {
		titled = 1
		article = ""
	}
}

function end_article()
{
	sub(/^\t/, "", article)
	if (article != "") print article
	article = ""
	titled = 0
}

# ---- Lines ----------------------------------------------------------------------------------------------------------------

# A sentence ends with . ! or ?, perhaps a quotation mark or bracket, and a space; not after a title or an initial. Lines hold one to
# four sentences by turns, never of two paragraphs: a model of single sentences and of longer texts.
step == "lines" {
	for (p = 1; p <= NF; p++) {
		rest = $p
		line = ""
		while (match(rest, /[.!?]["')]* /)) {
			sentence = substr(rest, 1, RSTART + RLENGTH - 2)
			rest = substr(rest, RSTART + RLENGTH)
			line = line sentence
			if (sentence !~ /(^|[ ("])([Mm]rs?|[Dd]r|[Ss]t|[A-Za-z])\.$/ && ++sentences > turn) {
				print line
				line = ""
				sentences = 0
				turn = (turn + 1) % 4
			} else line = line " "
		}
		if (line rest != "") print line rest
		sentences = 0
	}
}

# ---- Names ----------------------------------------------------------------------------------------------------------------

function add_introduced(text, count, w)
{
	while (match(text, /(named|name was|name is) [a-z]+/)) {
		w = substr(text, RSTART, RLENGTH)
		sub(/.* /, "", w)
		count[w]++
		text = substr(text, RSTART + RLENGTH)
	}
}

step == "names" && NR == FNR { add_introduced($0, introduced) }

step == "names" && NR != FNR {
	gsub(/\t/, "  ")
	n = split($0, word, " ")
	for (i = 2; i <= n; i++) {
		if (word[i - 1] !~ /[a-z,;]$/ || !match(word[i], /^[A-Za-z][a-z]+/)) continue
		if (substr(word[i], RLENGTH + 1, 1) ~ /[A-Z0-9_\200-\377]/) continue
		name = substr(word[i], 1, RLENGTH)
		key = tolower(name)
		if (name == key) small[key]++
		else capital[key]++
	}
}

# ---- Capitals -------------------------------------------------------------------------------------------------------------

step == "truecase" && NR == FNR { is_name[$0] = 1 }

step == "truecase" && NR != FNR {
	split("", local_names)
	split("", found)
	add_introduced($0, found)
	for (w in found)
		if (!(w in is_no_name) && length(w) > 2) local_names[w] = 1
	print truecase($0)
}

function tokens(text, out, n)
{
	n = 0
	while (text != "") {
		if (!match(text, /^[a-z]+('[a-z]+)*/) && !match(text, /^ +/)) RLENGTH = 1
		out[++n] = substr(text, 1, RLENGTH)
		text = substr(text, RLENGTH + 1)
	}
	return n
}

# Does a verb of saying follow token i, before the sentence ends? Then the quotation did not end it.
function is_said(t, n, i, seen)
{
	for (i++; i <= n && seen < 6; i++) {
		if (t[i] ~ /^[ \t]/) continue
		seen++
		if (t[i] ~ /^[,.!?"]$/) return 0
		if (t[i] in is_speech) return 1
	}
	return 0
}

function truecase(text, t, n, i, base, start, prev, quote, out)
{
	n = tokens(text, t)
	start = 1
	prev = out = ""
	quote = 0
	for (i = 1; i <= n; i++) {
		if (t[i] == "\t") {
			start = 1
			quote = 0
			prev = ""
		} else if (t[i] == "\"") {
			quote = !quote
			if (quote) start = 1
			else if (start && is_said(t, n, i)) start = 0
		} else if (t[i] ~ /^[.!?]$/) {
			start = 1
		} else if (t[i] ~ /^[a-z]/) {
			base = t[i]
			sub(/'.*/, "", base)
			prev_word = t[i]
			if (start || base == "i" || base in is_name || base in local_names || (base in is_kin && !(prev in is_determiner)))
				t[i] = toupper(substr(t[i], 1, 1)) substr(t[i], 2)
			start = 0
			prev = prev_word ~ /'s$/ ? "s" : prev_word
		} else if (t[i] !~ /^[ '()-]/) {
			if (t[i] != ",") start = 0
			prev = ""
		}
		out = out t[i]
	}
	return out
}

END {
	if (step == "documents") end_document()
	if (step == "articles") end_article()
	if (step == "names") {
		for (w in capital)
			if (capital[w] >= 8 && small[w] * 12 < capital[w] && length(w) > 2 && !(w in is_kin)) is_fixed[w] = 1
		for (w in introduced)
			if (introduced[w] >= 4 && small[w] < 25 && !(w in is_no_name)) is_fixed[w] = 1
		for (w in is_fixed) print w
	}
}
