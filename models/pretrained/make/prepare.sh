#!/bin/sh
# prepare.sh DATA WORK: training and held-out text for gpt2.sh, from the text sets in the folder DATA: simple stories
# (CDLA-Sharing-1.0), children's stories (CC BY), children's books (public domain in the USA).
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
