#!/bin/sh
# prepare.sh DATA WORK: training and held-out text for gpt2.sh and bert.sh, from the text sets in the folder DATA: simple stories
# (CDLA-Sharing-1.0), children's stories (CC BY), books (public domain in the USA), simple articles of an encyclopedia (CC BY-SA) and
# news (CC BY).
set -e
export LC_ALL=C
data=$1 work=$2 here=$(dirname "$0")
mkdir -p "$work"

documents() { # SET TEXT...: training documents on stdout, the others in WORK/SET.held
	set=$1
	shift
	awk -v step=documents -v set="$set" -v held="$work/$set.held" -f "$here/stories.awk" "$@"
}

# ---- Stories, with capitals ------------------------------------------------------------------------------------------------
children=
for name in Aesop Grimm Andersen Beatrix_Potter Baum Lewis_Carroll Black_Beauty Pinocchio Nesbit Little_Princess Secret_Garden \
	Princess_and_the_Goblin Boxcar Dolittle Peter_Pan Irish_Fairy Swiss_Family Heidi Golden_River Wind_in_the_Willows Little_Men \
	Little_Women Anne_of Rainbow_Valley Christmas Happy_Prince Jungle_Book Aladdin Tom_Sawyer Treasure_Island Emily_of \
	Enchanted_Barn; do
	for file in "$data"/lm_books_simple/*"$name"*.txt; do
		case " $children " in *" $file "*) ;; *) children="$children $file" ;; esac
	done
done
children=$(printf '%s\n' $children | sort) # paths of DATA have no spaces

documents tiny "$data/lm_tinystories_4mb/tinystories.txt" > "$work/tiny.train"
documents child "$data"/lm_children_stories/asp_en.txt "$data"/lm_children_stories/pb_en.txt > "$work/child.train"
documents book $children > "$work/book.train"
awk -v step=names -f "$here/stories.awk" "$work/tiny.train" "$work/child.train" "$work/book.train" | sort > "$work/names"
for part in train held; do
	awk -v step=truecase -f "$here/stories.awk" "$work/names" "$work/tiny.$part" > "$work/tiny.cased.$part"
done
stories() { # documents on stdin, a line each -> paragraphs a line each, <|endoftext|> after each document
	awk '{ gsub(/\t/, "\n"); printf "%s<|endoftext|>", $0 }'
}
chapters() { # every Nth run of 40 paragraphs of the books, as a document
	awk -F '\t' -v every="$1" '{
		for (i = 1; i <= NF; i++) {
			if (int((i - 1) / 40) % every) continue
			printf "%s%s", $i, i % 40 && i < NF ? "\t" : "\n"
		}
	}'
}
for part in train held; do
	stories < "$work/tiny.cased.$part" > "$work/tiny.$part.txt"
	cut -f 2- "$work/child.$part" | stories > "$work/child.$part.txt" # without the title
	chapters 5 < "$work/book.$part" | stories > "$work/book.$part.txt"
done
# The simple stories weigh most; what comes twice or more is cut into blocks at other places each time.
cat "$work/tiny.train.txt" "$work/child.train.txt" "$work/book.train.txt" "$work/tiny.train.txt" "$work/child.train.txt" \
	"$work/tiny.train.txt" > "$work/gpt2.train.txt"
cat "$work/tiny.train.txt" "$work/child.train.txt" "$work/child.train.txt" "$work/book.train.txt" > "$work/gpt2.vocabulary.txt"

# ---- Lines for bert.sh, whose vocabulary has no capitals --------------------------------------------------------------------
for set in wiki_simple wikinews; do
	most=5000
	[ $set = wiki_simple ] || most=1600
	awk -v step=articles -v most=$most -f "$here/stories.awk" "$data/lm_$set"/train_*.txt > "$work/$set.train"
	awk -v step=articles -v most=$most -f "$here/stories.awk" "$data/lm_$set/valid.txt" > "$work/$set.held"
done
awk -v step=documents -v set=book -v held="$work/books.held" -f "$here/stories.awk" \
	$(printf '%s\n' "$data"/lm_books_simple/*.txt | grep -v PROVENANCE) > "$work/books.train"
lines() { # documents on stdin, a line each -> one to four sentences a line
	awk -v step=lines -f "$here/stories.awk"
}
{ # every second run of 40 paragraphs of the books, four of five articles, two of three pieces of news
	cat "$work/tiny.train" "$work/child.train" | lines
	chapters 2 < "$work/books.train" | lines
	awk 'NR % 5' "$work/wiki_simple.train" | lines
	awk 'NR % 3' "$work/wikinews.train" | lines
	for again in 2 3 4 5 6; do cat "$work/tiny.train" "$work/child.train" | lines; done
} > "$work/bert.train.txt"
for set in tiny child books wiki_simple wikinews; do
	lines < "$work/$set.held" > "$work/bert.$set.held.txt"
	awk '(size += length($0)) < 20000' "$work/bert.$set.held.txt"
done > "$work/bert.held.txt"
