/* names_bert.c: tensor names of the BERT body (huggingface.md 2.1): BERT, RoBERTa, XLM-RoBERTa and CamemBERT share all of them,
 * ELECTRA those of the layers. */
#include "models/tables.h"

const attend_family_name attend_names_bert[] = {
	WEIGHT(WORD_EMBEDDING, "embeddings.word_embeddings"),
	WEIGHT(POSITION_EMBEDDING, "embeddings.position_embeddings"),
	WEIGHT(TYPE_EMBEDDING, "embeddings.token_type_embeddings"),
	PAIR(EMBEDDING_NORM_W, "embeddings.LayerNorm"),
	PAIR(POOLER_W, "pooler.dense"),
	END_NAMES,
};

const attend_family_name attend_names_bert_layer[] = {
	PAIR(Q_W, "encoder.layer.{b}.attention.self.query"),
	PAIR(K_W, "encoder.layer.{b}.attention.self.key"),
	PAIR(V_W, "encoder.layer.{b}.attention.self.value"),
	PAIR(ATTENTION_OUT_W, "encoder.layer.{b}.attention.output.dense"),
	PAIR(ATTENTION_NORM_W, "encoder.layer.{b}.attention.output.LayerNorm"),
	PAIR(CROSS_Q_W, "encoder.layer.{b}.crossattention.self.query"),
	PAIR(CROSS_K_W, "encoder.layer.{b}.crossattention.self.key"),
	PAIR(CROSS_V_W, "encoder.layer.{b}.crossattention.self.value"),
	PAIR(CROSS_OUT_W, "encoder.layer.{b}.crossattention.output.dense"),
	PAIR(CROSS_NORM_W, "encoder.layer.{b}.crossattention.output.LayerNorm"),
	PAIR(UP_W, "encoder.layer.{b}.intermediate.dense"),
	PAIR(DOWN_W, "encoder.layer.{b}.output.dense"),
	PAIR(FFN_NORM_W, "encoder.layer.{b}.output.LayerNorm"),
	END_NAMES,
};

const char *const attend_ignored_bert[] = {"*embeddings.position_ids", "*embeddings.token_type_ids", NULL};
