/* families.c: the tokenizer classes of transformers as a table, and which class a model_type means (models/auto). */
#include "tokenizer/legacy.h"

static const attend_family families[] = {
	{
		.class_name = "BertTokenizer",
		.tokens = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", NULL, NULL},
		.model = "WordPiece",
		.build = attend_build_bert,
		.finish = attend_finish_bert,
		.adapt = attend_adapt_bert,
	},
	{
		.class_name = "MPNetTokenizer",
		.tokens = {"[UNK]", "<s>", "</s>", "<pad>", "<mask>", "<s>", "</s>"},
		.mask_lstrip = true,
		.model = "WordPiece",
		.build = attend_build_bert,
		.finish = attend_finish_mpnet,
		.adapt = attend_adapt_bert,
	},
	{
		.class_name = "OpenAIGPTTokenizer",
		.tokens = {"<unk>", NULL, NULL, NULL, NULL, NULL, NULL},
		.model = "BPE",
		.build = attend_build_gpt1,
		.finish = attend_finish_gpt2,
	},
	{
		.class_name = "GPT2Tokenizer",
		.tokens = {"<|endoftext|>", NULL, NULL, NULL, NULL, "<|endoftext|>", "<|endoftext|>"},
		.model = "BPE",
		.build = attend_build_gpt2,
		.finish = attend_finish_gpt2,
		.adapt = attend_adapt_gpt2,
	},
	{
		.class_name = "RobertaTokenizer",
		.tokens = {"<unk>", "<s>", "</s>", "<pad>", "<mask>", "<s>", "</s>"},
		.mask_lstrip = true,
		.model = "BPE",
		.build = attend_build_gpt2,
		.finish = attend_finish_roberta,
		.adapt = attend_adapt_roberta,
	},
	{
		.class_name = "T5Tokenizer",
		.tokens = {"<unk>", NULL, NULL, "<pad>", NULL, NULL, "</s>"},
		.model = "Unigram",
		.build = attend_build_spm,
		.finish = attend_finish_spm,
	},
	{
		.class_name = "AlbertTokenizer",
		.tokens = {"<unk>", "[CLS]", "[SEP]", "<pad>", "[MASK]", "[CLS]", "[SEP]"},
		.mask_lstrip = true,
		.model = "Unigram",
		.build = attend_build_spm,
		.finish = attend_finish_spm,
	},
	{
		.class_name = "XLNetTokenizer",
		.tokens = {"<unk>", "<cls>", "<sep>", "<pad>", "<mask>", "<s>", "</s>"},
		.mask_lstrip = true,
		.model = "Unigram",
		.build = attend_build_spm,
		.finish = attend_finish_spm,
	},
	{
		.class_name = "CamembertTokenizer",
		.tokens = {"<unk>", "<s>", "</s>", "<pad>", "<mask>", "<s>", "</s>"},
		.mask_lstrip = true,
		.model = "Unigram",
		.build = attend_build_spm,
		.finish = attend_finish_spm,
	},
	{
		.class_name = "XLMRobertaTokenizer",
		.tokens = {"<unk>", "<s>", "</s>", "<pad>", "<mask>", "<s>", "</s>"},
		.mask_lstrip = true,
		.model = "Unigram",
		.build = attend_build_spm,
		.finish = attend_finish_spm,
	},
	{
		.class_name = "PegasusTokenizer",
		.tokens = {"<unk>", NULL, NULL, "<pad>", "<mask_2>", NULL, "</s>"},
		.model = "Unigram",
		.build = attend_build_spm,
		.finish = attend_finish_spm,
	},
	{
		.class_name = "MarianTokenizer",
		.tokens = {"<unk>", NULL, NULL, "<pad>", NULL, NULL, "</s>"},
		.model = "Unigram",
		.build = attend_build_marian,
		.finish = attend_finish_marian,
	},
};

/* Classes that transformers defines as another one, or with its rules. */
static const char *const aliases[][2] = {
	{"DistilBertTokenizer", "BertTokenizer"},
	{"ElectraTokenizer", "BertTokenizer"},
	{"MobileBertTokenizer", "BertTokenizer"},
	{"ConvBertTokenizer", "BertTokenizer"},
	{"LayoutLMTokenizer", "BertTokenizer"},
	{"LxmertTokenizer", "BertTokenizer"},
	{"SqueezeBertTokenizer", "BertTokenizer"},
	{"RetriBertTokenizer", "BertTokenizer"},
	{"RealmTokenizer", "BertTokenizer"},
	{"DPRQuestionEncoderTokenizer", "BertTokenizer"},
	{"DPRContextEncoderTokenizer", "BertTokenizer"},
	{"DPRReaderTokenizer", "BertTokenizer"},
	{"BartTokenizer", "RobertaTokenizer"},
	{"LongformerTokenizer", "RobertaTokenizer"},
	{"LEDTokenizer", "RobertaTokenizer"},
	{"MvpTokenizer", "RobertaTokenizer"},
	{"CodeGenTokenizer", "GPT2Tokenizer"},
	{"MT5Tokenizer", "T5Tokenizer"},
};

static const char *const models[][2] = {
	{"bert", "BertTokenizer"},
	{"distilbert", "BertTokenizer"},
	{"electra", "BertTokenizer"},
	{"mobilebert", "BertTokenizer"},
	{"convbert", "BertTokenizer"},
	{"megatron-bert", "BertTokenizer"},
	{"layoutlm", "BertTokenizer"},
	{"lxmert", "BertTokenizer"},
	{"nezha", "BertTokenizer"},
	{"nomic_bert", "BertTokenizer"},
	{"squeezebert", "BertTokenizer"},
	{"retribert", "BertTokenizer"},
	{"realm", "BertTokenizer"},
	{"dpr", "BertTokenizer"},
	{"visual_bert", "BertTokenizer"},
	{"ernie", "BertTokenizer"},
	{"mpnet", "MPNetTokenizer"},
	{"openai-gpt", "OpenAIGPTTokenizer"},
	{"gpt2", "GPT2Tokenizer"},
	{"gpt_neo", "GPT2Tokenizer"},
	{"gptj", "GPT2Tokenizer"},
	{"opt", "GPT2Tokenizer"},
	{"codegen", "GPT2Tokenizer"},
	{"phi", "GPT2Tokenizer"},
	{"roberta", "RobertaTokenizer"},
	{"roberta-prelayernorm", "RobertaTokenizer"},
	{"bart", "RobertaTokenizer"},
	{"ibert", "RobertaTokenizer"},
	{"data2vec-text", "RobertaTokenizer"},
	{"longformer", "RobertaTokenizer"},
	{"led", "RobertaTokenizer"},
	{"mvp", "RobertaTokenizer"},
	{"t5", "T5Tokenizer"},
	{"mt5", "T5Tokenizer"},
	{"switch_transformers", "T5Tokenizer"},
	{"albert", "AlbertTokenizer"},
	{"yoso", "AlbertTokenizer"},
	{"xlnet", "XLNetTokenizer"},
	{"camembert", "CamembertTokenizer"},
	{"xlm-roberta", "XLMRobertaTokenizer"},
	{"xmod", "XLMRobertaTokenizer"},
	{"pegasus", "PegasusTokenizer"},
	{"marian", "MarianTokenizer"},
};

const attend_family *attend_family_of_class(const char *class_name)
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (strcmp(class_name, aliases[i][0]) == 0) class_name = aliases[i][1];
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (strcmp(class_name, families[i].class_name) == 0) return &families[i];
	return NULL;
}

const attend_family *attend_family_of_model(const char *model_type)
{
	for (size_t i = 0; i < sizeof models / sizeof *models; i++)
		if (strcmp(model_type, models[i][0]) == 0) return attend_family_of_class(models[i][1]);
	return NULL;
}
