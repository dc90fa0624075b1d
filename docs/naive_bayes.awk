# naive_bayes.awk: the accuracy of multinomial naive Bayes (words, lower case, add-one smoothing), a floor for classifiers.
#   awk -f naive_bayes.awk TRAIN.tsv TEST.tsv      text, a tab, a label
BEGIN { FS = "\t" }
{
	n = split(tolower($1), word, /[^a-z0-9\200-\377']+/)
	label = $NF
}
NR == FNR {
	rows[label]++
	for (i = 1; i <= n; i++) {
		if (word[i] == "") continue
		if (!(word[i] in known)) vocabulary++
		known[word[i]]
		seen[label, word[i]]++
		words[label]++
	}
	next
}
{
	best = ""
	for (l in rows) {
		score = log(rows[l])
		for (i = 1; i <= n; i++)
			if (word[i] in known) score += log((seen[l, word[i]] + 1) / (words[l] + vocabulary))
		if (best == "" || score > top) {
			top = score
			best = l
		}
	}
	right += best == label
}
END { printf "%.2f %% of %d\n", 100 * right / FNR, FNR }
